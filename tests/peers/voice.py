#!/usr/bin/env python3
"""A voice server and a device, by the library `websockets` that xiaozhi-server uses.

    voice.py serve                        says its port, then how each connection ended
    voice.py suite URL CA                 one device that tries everything
    voice.py crowd URL CA COUNT           so many devices at once
    voice.py soak URL CA COUNT SECONDS    so many devices that talk for so long

The server takes an upgrade as xiaozhi-server does (core/websocket_server.py,
`_http_response`): only where Connection is "upgrade" and nothing besides.
Needs websockets 10 or later: Debian's python3-websockets.
"""

import asyncio
import http
import os
import ssl
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.legacy.client import connect
from websockets.legacy.server import serve

LIMIT = 4 << 20
# In seconds; it only ever runs out where something is broken.
PATIENCE = 300


def say(*words):
    print(*words, flush=True)


async def process_request(path, headers):
    if headers.get("connection", "").lower() == "upgrade":
        return None
    return http.HTTPStatus.OK, [("Content-Type", "text/plain")], b"Server is running\n"


async def converse(socket):
    device = socket.request_headers.get("Device-Id", "")
    try:
        async for message in socket:
            match message.split(" ") if isinstance(message, str) else ["echo"]:
                case ["headers"]:
                    lines = (f"{name}: {value}" for name, value in socket.request_headers.raw_items())
                    await socket.send("\n".join([socket.path, *lines]))
                case ["close", code, reason]:
                    await socket.close(int(code), reason)
                case ["abort"]:
                    socket.transport.abort()
                case ["ping"]:
                    await (await socket.ping(b"from the server"))
                    await socket.send("ponged")
                case ["fragments"]:
                    await socket.send([b"a" * 100_000, b"", b"b", b"c" * 70_000])
                case _:
                    await socket.send(message)
    except ConnectionClosed:
        pass
    finally:
        await socket.wait_closed()
        say("ended", device, socket.close_code)


async def server():
    options = dict(process_request=process_request, max_size=LIMIT, ping_interval=None, backlog=2048)
    async with serve(converse, "127.0.0.1", 0, **options) as listening:
        say("port", listening.sockets[0].getsockname()[1])
        await asyncio.Future()


def dial(url, authority, device, **options):
    tls = ssl.create_default_context(cafile=authority)
    headers = {"Device-Id": device, "Client-Id": "c", "Authorization": "Bearer t", "Protocol-Version": "1"}
    options = dict(compression=None) | options
    return connect(
        url, ssl=tls, extra_headers=headers, max_size=LIMIT, ping_interval=None, open_timeout=PATIENCE, close_timeout=PATIENCE, **options
    )


async def echoed(socket, message):
    await socket.send(message)
    reply = await asyncio.wait_for(socket.recv(), PATIENCE)
    joined = message
    if isinstance(message, list):
        joined = type(message[0])().join(message)
    assert reply == joined and type(reply) is type(joined), f"{len(reply)} came back for {len(joined)}"


async def closed(socket, code, reason=None):
    try:
        await asyncio.wait_for(socket.recv(), PATIENCE)
        raise AssertionError("a message instead of the end")
    except ConnectionClosed:
        assert socket.close_code == code, f"{socket.close_code} and not {code}"
        assert reason is None or socket.close_reason == reason, socket.close_reason


async def suite(url, authority):
    async with dial(url + "?token=a%2Fb&x", authority, "talks") as socket:
        await socket.send("headers")
        seen = (await socket.recv()).splitlines()
        assert seen[0].endswith("/xiaozhi/v1/?token=a%2Fb&x"), seen
        lines = {line.lower() for line in seen}
        for line in ("device-id: talks", "client-id: c", "authorization: bearer t", "protocol-version: 1",
                     "connection: upgrade", "upgrade: websocket", "x-forwarded-for: 127.0.0.1",
                     "x-real-ip: 127.0.0.1", "x-forwarded-proto: https"):
            assert line in lines, f"{line} is not in {seen}"
        await echoed(socket, "text: 你好")
        await echoed(socket, "")
        await echoed(socket, b"")
        for length in (1, 125, 126, 127, 4095, 65535, 65536, 1 << 20):
            await echoed(socket, os.urandom(length))
        await echoed(socket, "é" * (1 << 19))
        await echoed(socket, [os.urandom(n) for n in (0, 1, 200_000, 0, 126, 65536)])
        await echoed(socket, ["eins ", "", "zwei"])
        await socket.send("fragments")
        assert await socket.recv() == b"a" * 100_000 + b"b" + b"c" * 70_000
        await asyncio.wait_for(await socket.ping(b"from the device"), PATIENCE)
        await socket.send("ping")
        assert await socket.recv() == "ponged"
    assert socket.close_code == 1000
    async with dial(url, authority, "deflates", compression="deflate") as socket:
        assert [e.name for e in socket.extensions] == ["permessage-deflate"]
        await echoed(socket, "again and " * 10_000)
    for code, reason in ((1000, "done"), (1011, "fault"), (4001, "own")):
        async with dial(url, authority, f"hears-{code}") as socket:
            await socket.send(f"close {code} {reason}")
            await closed(socket, code, reason)
        socket = await dial(url, authority, f"says-{code}")
        await socket.close(code, reason)
    async with dial(url, authority, "dropped") as socket:
        await socket.send("abort")
        await closed(socket, 1006)
    socket = await dial(url, authority, "drops")
    await echoed(socket, "hello")
    socket.transport.abort()
    say("suite done")


async def crowd(url, authority, count):
    together = asyncio.Event()
    open_now = 0
    hands = asyncio.Semaphore(100)

    async def device(number):
        nonlocal open_now
        async with hands:
            socket = await dial(url, authority, f"crowd-{number}")
        open_now += 1
        if open_now == count:
            together.set()
        await asyncio.wait_for(together.wait(), PATIENCE)
        await echoed(socket, f"device {number}")
        await echoed(socket, number.to_bytes(4, "big") * 50)
        await socket.close()
        assert socket.close_code == 1000, socket.close_code

    await asyncio.gather(*map(device, range(count)))
    say("crowd done", open_now)


async def soak(url, authority, count, seconds):
    end = time.monotonic() + seconds
    sent = 0

    async def device(number):
        nonlocal sent
        async with dial(url, authority, f"soak-{number}") as socket:
            while time.monotonic() < end:
                # Opus in packets of 60 ms, several on their way.
                packets = [os.urandom(80 + (number + n) % 200) for n in range(10)]
                for packet in packets:
                    await socket.send(packet)
                for packet in packets:
                    assert await asyncio.wait_for(socket.recv(), PATIENCE) == packet
                sent += len(packets)

    await asyncio.gather(*map(device, range(count)))
    say("soak done", sent)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(server())
        case ["suite", url, authority]:
            asyncio.run(suite(url, authority))
        case ["crowd", url, authority, count]:
            asyncio.run(crowd(url, authority, int(count)))
        case ["soak", url, authority, count, seconds]:
            asyncio.run(soak(url, authority, int(count), float(seconds)))
        case _:
            sys.exit(__doc__)
