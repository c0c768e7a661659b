"""Checks in as a device does, and fetches what it is offered.

usage: check_in.py VERSION [OFFERED]; it fails unless OFFERED, or nothing, is offered"""

import json
import sys
import urllib.request

URL = "http://127.0.0.1:8003/xiaozhi/ota/"
HEADERS = {"Device-Id": "02:00:00:00:00:19", "Client-Id": "7b94d69a-9808-4c59-9c9b-704333b38a19"}


def main(version: str, offered: str | None = None) -> None:
    report = {
        "version": 2,
        "chip_model_name": "esp32s3",
        "application": {"name": "xiaozhi", "version": version},
        "board": {"type": "package-board", "name": "package-board"},
    }
    asked = urllib.request.Request(URL, json.dumps(report).encode(), HEADERS)
    firmware = json.load(urllib.request.urlopen(asked, timeout=20))["firmware"]
    if offered is None:
        assert firmware["url"] == "", firmware
        return
    assert firmware["version"] == offered, firmware
    # Only this machine is reached from here, whatever address devices are given.
    path = "/xiaozhi/" + firmware["url"].split("/xiaozhi/", 1)[1]
    image = urllib.request.urlopen("http://127.0.0.1:8003" + path, timeout=20).read()
    assert image[0] == 0xE9, image[:16]


main(*sys.argv[1:])
