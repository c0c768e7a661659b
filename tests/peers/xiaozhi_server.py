#!/usr/bin/python3
"""A stand-in for xiaozhi-server: what a proxy in front of it gets to see, and no more.

    xiaozhi_server.py --vision-explain URL --websocket URL --bin FOLDER [--auth-key KEY]

It listens on two free ports of 127.0.0.1 and says which, on its first line. After that
it prints one line for each request that reaches it.

What stands here was read in xiaozhi-server: download addresses are `vision_explain`
with another path, so their scheme is the one that was written there
(core/api/ota_handler.py); `/xiaozhi/ota/activate` is not there; the WebSocket answers
"Server is running" unless `Connection` is exactly "upgrade" (core/websocket_server.py);
the address for pictures is handed out over the WebSocket, with a token
(core/providers/tools/device_mcp/mcp_handler.py).
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import re
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import websockets

VISION_TOKEN = "a token for pictures"
SEEN = ("host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "device-id")
printing = threading.Lock()


def note(method, path, headers):
    seen = " ".join(f"{name}={headers.get(name, '-')}" for name in SEEN)
    with printing:
        print(f"{method} {path} {seen}", flush=True)


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def token(key, client, device, timestamp):
    mac = hmac.new(key.encode(), f"{client}|{device}|{timestamp}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode() + f".{timestamp}"


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    settings = None

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json; charset=utf-8"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def do_GET(self):
        note("GET", self.path, self.headers)
        name = self.path.removeprefix("/xiaozhi/ota/download/")
        file = self.settings.bin / name
        if name != self.path and "/" not in name and file.is_file():
            self.answer(200, file.read_bytes(), "application/octet-stream")
        elif self.path == "/xiaozhi/ota/":
            self.answer(200, b"running", "text/plain")
        else:
            self.answer(404, b"404: Not Found", "text/plain")

    def do_POST(self):
        note("POST", self.path, self.headers)
        body = self.body()
        if self.path == "/xiaozhi/ota/":
            self.answer(200, json.dumps(self.check_in(json.loads(body))).encode())
        elif self.path == "/mcp/vision/explain":
            if self.headers.get("Authorization") != f"Bearer {VISION_TOKEN}":
                self.answer(401, b'{"success":false}')
            else:
                length = len(body.split(b"\r\n\r\n", 2)[2].rsplit(b"\r\n--", 1)[0])
                reply = {"success": True, "response": f"a picture of {length} bytes"}
                self.answer(200, json.dumps(reply).encode())
        else:
            self.answer(404, b"404: Not Found", "text/plain")

    def check_in(self, report):
        settings = self.settings
        model, version = report["board"]["type"], report["application"]["version"]
        url = ""
        for file in settings.bin.glob(f"{model}_*.bin"):
            there = file.stem.removeprefix(f"{model}_")
            if numbers(there) > numbers(version):
                base = settings.vision_explain.replace("/mcp/vision/explain", "")
                version, url = there, f"{base}/xiaozhi/ota/download/{file.name}"
        given = ""
        if settings.auth_key:
            who = (self.headers["Client-Id"], self.headers["Device-Id"])
            given = token(settings.auth_key, *who, int(time.time()))
        return {
            "server_time": {"timestamp": int(time.time() * 1000), "timezone_offset": 480},
            "firmware": {"version": version, "url": url},
            "websocket": {"url": settings.websocket, "token": given},
        }


def is_known(key, headers):
    given = headers.get("Authorization", "").removeprefix("Bearer ")
    _, _, timestamp = given.partition(".")
    expected = token(key, headers.get("Client-Id"), headers.get("Device-Id"), timestamp)
    return hmac.compare_digest(given.encode(), expected.encode())


async def voice(settings, socket):
    if settings.auth_key and not is_known(settings.auth_key, socket.request_headers):
        await socket.send("认证失败")
        return
    async for message in socket:
        if isinstance(message, bytes):
            await socket.send(message)
            continue
        hello = json.loads(message)
        await socket.send(json.dumps({**hello, "session_id": "1"}))
        if hello.get("features", {}).get("mcp"):
            vision = {"url": settings.vision_explain, "token": VISION_TOKEN}
            params = {"capabilities": {"vision": vision}}
            payload = {"jsonrpc": "2.0", "method": "initialize", "params": params}
            await socket.send(json.dumps({"type": "mcp", "payload": payload}))


async def only_upgrades(path, headers):
    note("GET", path, headers)
    if headers.get("connection", "").lower() != "upgrade":
        return HTTPStatus.OK, [], b"Server is running\n"
    return None


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vision-explain", required=True)
    parser.add_argument("--websocket", required=True)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--auth-key", default="")
    settings = parser.parse_args()
    Http.settings = settings
    http = ThreadingHTTPServer(("127.0.0.1", 0), Http)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, daemon=True).start()
    serve = websockets.serve(
        lambda socket: voice(settings, socket), "127.0.0.1", 0, process_request=only_upgrades
    )
    async with serve as server:
        port = server.sockets[0].getsockname()[1]
        print(f"http={http.server_address[1]} websocket={port}", flush=True)
        await asyncio.Future()


asyncio.run(main())
