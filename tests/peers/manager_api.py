#!/usr/bin/env python3
"""Stands in for the OTA interface of manager-api, to try upstream mode without one.

A device that comes first gets an activation code, and is bound when it asks the second time
whether it is: what a person does in the console in between is left out. From then on it is
answered as manager-api answers a bound device; a device whose address ends in 0 has automatic
updates off. Which devices are bound is forgotten when this ends.
"""

import argparse
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NO_IMAGE = "http://xiaozhi.server.com:8002/xiaozhi/otaMag/download/NOT_ACTIVATED_FIRMWARE_THIS_IS_A_INVALID_URL"
VOICE = "ws://127.0.0.1:8000/xiaozhi/v1/"


class Devices:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: set[str] = set()
        self.bound: set[str] = set()

    def activate(self, device: str) -> bool:
        with self.lock:
            if device in self.asked:
                self.bound.add(device)
            self.asked.add(device)
            return device in self.bound

    def is_bound(self, device: str) -> bool:
        with self.lock:
            return device in self.bound


DEVICES = Devices()


class ManagerApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        device = self.headers.get("Device-Id", "").lower()
        if self.path.split("?")[0].rstrip("/").endswith("/activate"):
            is_bound = DEVICES.activate(device)
            self.answer(200 if is_bound else 202, "text/plain", "success" if is_bound else "")
            return
        self.answer(200, "application/json", json.dumps(check_in(device)))

    def answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def check_in(device: str) -> dict:
    reply: dict = {
        "server_time": {"timestamp": int(time.time() * 1000), "timeZone": "Asia/Shanghai", "timezone_offset": 480},
        "firmware": {"version": "1.0.0", "url": NO_IMAGE},
        "websocket": {"url": VOICE, "token": "stand-in"},
    }
    if not DEVICES.is_bound(device):
        code = f"{sum(device.encode()) % 1_000_000:06}"
        reply["activation"] = {"code": code, "message": f"http://127.0.0.1:8002\n{code}", "challenge": device}
    elif device.endswith("0"):
        del reply["firmware"]
    return reply


if __name__ == "__main__":
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    help = "port on 127.0.0.1 (8002; 0 takes a free one, and prints it)"
    parser.add_argument("port", metavar="PORT", type=int, nargs="?", default=8002, help=help)
    with ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), ManagerApi) as server:
        print(f"manager-api stands in at http://127.0.0.1:{server.server_port}/xiaozhi/ota/", flush=True)
        server.serve_forever()
