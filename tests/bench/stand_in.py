#!/usr/bin/env python3
"""A stand-in for xiaozhi-server's check-in: aiohttp, one process, one event loop.

It does the same work as ours for each device: reads the JSON, looks for the newest version of
its model, writes the answer and a line of the log.

usage: stand_in.py PORT FOLDER LOG
"""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from aiohttp import web

SCAN_AGAIN = 30  # seconds


class Versions:
    """The highest version of each model among MODEL_VERSION.bin, looked up now and then."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.newest, self.looked = folder, {}, float("-inf")

    def of(self, model: str) -> str | None:
        if time.monotonic() - self.looked > SCAN_AGAIN:
            self.newest, self.looked = {}, time.monotonic()
            for path in self.folder.glob("*_*.bin"):
                name, _, version = path.stem.rpartition("_")
                self.newest[name] = max(self.newest.get(name, ""), version, key=numbers)
        return self.newest.get(model)


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


async def main(port: int, folder: Path, log: str) -> None:
    logging.basicConfig(filename=log, level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
    versions = Versions(folder)

    async def check_in(request: web.Request) -> web.Response:
        said = json.loads(await request.text())
        device = request.headers.get("device-id", "")
        model, version = said["board"]["type"], said["application"]["version"]
        newest, url = versions.of(model), ""
        if newest and numbers(newest) > numbers(version):
            version, url = newest, f"http://{request.host}/xiaozhi/ota/download/{model}_{newest}.bin"
        logging.info("device %s, model %s, version %s, image %s", device, model, version, url or "none")
        answer = {
            "server_time": {"timestamp": round(time.time() * 1000), "timezone_offset": 480},
            "firmware": {"version": version, "url": url},
            "websocket": {"url": "ws://127.0.0.1:8000/xiaozhi/v1/", "token": ""},
        }
        text = json.dumps(answer, separators=(",", ":"))
        return web.Response(text=text, content_type="application/json")

    app = web.Application()
    app.add_routes([web.post("/xiaozhi/ota/", check_in)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
