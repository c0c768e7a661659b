#!/usr/bin/python3
"""A day of a device: check-in, activation, update, voice, a picture.

    xiaozhi_device.py OTA_URL [--to HOST:PORT=ADDRESS:PORT]... [--ca FILE]
                      [--model M] [--version V]

It goes by the firmware's rules, the strict ones of every age: a reply is exactly 200,
has a Content-Length, and no redirect is followed. Each step prints a line; the first
that fails is the last, and the exit code is 1. --to says where a host really is; names
in TLS and in `Host` stay those of the address.
"""

import argparse
import base64
import hashlib
import json
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

DEVICE = {"Device-Id": "aa:bb:cc:dd:ee:ff", "Client-Id": "7b94d69a-9808-4c59-9c9b-704333b38aff"}
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
PICTURE = bytes(range(256)) * 256


class Failed(Exception):
    pass


class Network:
    def __init__(self, places, authority):
        self.places = dict(place.split("=") for place in places)
        self.tls = ssl.create_default_context(cafile=authority)

    def connect(self, url):
        """A connection to the URL's host, and the path to ask for there."""
        url = urlsplit(url)
        place = f"{url.hostname}:{url.port or PORTS[url.scheme]}"
        host, port = self.places.get(place, place).split(":")
        stream = socket.create_connection((host, int(port)), timeout=120)
        if url.scheme in ("https", "wss"):
            stream = self.tls.wrap_socket(stream, server_hostname=url.hostname)
        return stream.makefile("rwb"), url.netloc, url.path or "/"

    def ask(self, method, url, headers=(), body=None, chunked=False):
        """A request, and its reply as the firmware reads it."""
        stream, host, path = self.connect(url)
        with stream:
            lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in dict(headers).items()]
            if chunked:
                lines.append("Transfer-Encoding: chunked")
            elif body is not None:
                lines.append(f"Content-Length: {len(body)}")
            stream.write("\r\n".join(lines + ["", ""]).encode())
            if chunked:
                for part in (body[:1000], body[1000:]):
                    stream.write(b"%x\r\n%s\r\n" % (len(part), part))
                stream.write(b"0\r\n\r\n")
            elif body is not None:
                stream.write(body)
            stream.flush()
            status, headers = head(stream)
            if "content-length" not in headers:
                return status, headers, None
            return status, headers, stream.read(int(headers["content-length"]))


def head(stream):
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return status, headers


def hold(step, url, reply):
    """The firmware's rules for a reply."""
    status, headers, body = reply
    if status != 200:
        to = f", to {headers['location']}" if "location" in headers else ""
        raise Failed(f"{step}: {url}: status {status}{to}")
    if body is None or len(body) != int(headers["content-length"]):
        raise Failed(f"{step}: {url}: no length, or not the whole body")
    return body


class WebSocket:
    def __init__(self, network, url, token):
        self.stream, host, path = network.connect(url)
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Host": host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            "Authorization": f"Bearer {token}",
            "Protocol-Version": "1",
            **DEVICE,
        }
        lines = [f"GET {path} HTTP/1.1"] + [f"{n}: {v}" for n, v in headers.items()]
        self.stream.write("\r\n".join(lines + ["", ""]).encode())
        self.stream.flush()
        status, headers = head(self.stream)
        expected = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        if status != 101 or headers["sec-websocket-accept"] != base64.b64encode(expected).decode():
            raise Failed(f"voice: {url}: status {status}")

    def send(self, opcode, payload):
        mask = os.urandom(4)
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.stream.write(bytes([0x80 | opcode]) + size + mask + masked)
        self.stream.flush()

    def receive(self):
        opcode, length = self.stream.read(2)
        if length == 126:
            length = int.from_bytes(self.stream.read(2), "big")
        return opcode & 15, self.stream.read(length)

    def text(self):
        opcode, payload = self.receive()
        try:
            return json.loads(payload) if opcode == 1 else {}
        except ValueError:
            raise Failed(f"voice: the server says {payload.decode()}") from None


def day(network, ota, model, version):
    report = {"application": {"name": "xiaozhi", "version": version}, "board": {"type": model}}
    headers = {**DEVICE, "User-Agent": f"{model}/{version}", "Content-Type": "application/json"}
    body = json.dumps(report).encode()
    reply = json.loads(hold("check-in", ota, network.ask("POST", ota, headers, body)))
    firmware, voice = reply["firmware"], reply["websocket"]
    print("check-in: 200, firmware", firmware["version"], firmware["url"] or "none")

    # Firmware asks only where `activation` was handed out; a redirect would end it.
    status, *rest = network.ask("POST", ota + "activate", headers, b"{}")
    if "activation" in reply or 300 <= status < 400:
        hold("activation", ota + "activate", (status, *rest))
    print("activation:", status)

    if firmware["url"]:
        image = hold("update", firmware["url"], network.ask("GET", firmware["url"]))
        print("update:", len(image), "bytes", hashlib.sha256(image).hexdigest())

    socket = WebSocket(network, voice["url"], voice["token"])
    audio = {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60}
    hello = {"type": "hello", "version": 1, "transport": "websocket", "audio_params": audio}
    socket.send(1, json.dumps({**hello, "features": {"mcp": True}}).encode())
    session = socket.text()
    if session.get("type") != "hello":
        raise Failed(f"voice: {voice['url']}: no hello")
    vision = socket.text()["payload"]["params"]["capabilities"]["vision"]
    for length in (1, 125, 126, 4000):
        packet = os.urandom(length)
        socket.send(2, packet)
        if socket.receive() != (2, packet):
            raise Failed(f"voice: {voice['url']}: a packet of {length} bytes came back otherwise")
    socket.send(8, (1000).to_bytes(2, "big"))
    if socket.receive()[0] != 8:
        raise Failed(f"voice: {voice['url']}: no goodbye")
    print("voice:", voice["url"])

    # The firmware sends pictures in chunks, for it does not know their length.
    headers = {
        **DEVICE,
        "Authorization": f"Bearer {vision['token']}",
        "Content-Type": "multipart/form-data; boundary=b",
    }
    disposition = 'Content-Disposition: form-data; name="'
    parts = (
        f'--b\r\n{disposition}question"\r\n\r\nWhat is it?\r\n--b\r\n{disposition}file"; '
        'filename="camera.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    body = parts.encode() + PICTURE + b"\r\n--b--\r\n"
    reply = network.ask("POST", vision["url"], headers, body, chunked=True)
    answer = json.loads(hold("picture", vision["url"], reply))
    if answer["response"] != f"a picture of {len(PICTURE)} bytes":
        raise Failed(f"picture: {vision['url']}: {answer}")
    print("picture:", vision["url"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ota")
    parser.add_argument("--to", action="append", default=[])
    parser.add_argument("--ca")
    parser.add_argument("--model", default="esp32s3")
    parser.add_argument("--version", default="1.6.0")
    options = parser.parse_args()
    try:
        day(Network(options.to, options.ca), options.ota, options.model, options.version)
    except Failed as fault:
        print(f"failed: {fault}")
        sys.exit(1)


main()
