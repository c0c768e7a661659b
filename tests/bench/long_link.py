#!/usr/bin/env python3
"""A link with a round trip of 100 ms: what one fast client gets through the send buffer.

Two network namespaces with a TUN device each, between which this program, run as
`long_link.py MS`, carries packets, half of the delay each way. That is what `tc netem` does
to a veth pair, for kernels that have no netem as well. The namespaces have no names: they
end with this program, which ends with the bench.
"""

import ctypes
import fcntl
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import image
from by_request import await_offer
from machine import say
from outcome import Bench, Figure, Outcome
from servers import BOARD, DOWNLOAD_PATH, FIRMWARE, OFFERED, BenchError, content_length, receive, spawn, stop

ROUND_TRIP = 100  # milliseconds
SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
SIZE = 6_000_000 // 64 * 64  # a slot of the fixture has 6 MiB
FIRST = 1024 * 1024  # while the window opens
NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class LongLink:
    """The row of --buffer."""

    letter: str = "-"
    name: str = "round-trip"
    work: str = f"one download over TLS, round trip {ROUND_TRIP} ms"

    def measure(self, bench: Bench, outcome: Outcome, stack: ExitStack) -> None:
        if os.geteuid() != 0:
            raise BenchError("network namespaces and TUN devices need root")
        image.write(bench.folder / "data/bin" / FIRMWARE, OFFERED, SIZE)
        link = spawn([sys.executable, __file__, str(ROUND_TRIP)], stdout=subprocess.PIPE, text=True)
        stack.callback(stop, link)
        numbers = (link.stdout.readline() or "").split()
        if len(numbers) != 2:
            raise BenchError("the long link cannot be made: see above")
        server_side, client_side = (f"/proc/{link.pid}/fd/{number}" for number in numbers)
        with inside(server_side):
            servers = bench.start_ours(stack, "p256", ip=SERVER)
            for server in servers:
                await_offer(server, BOARD, SERVER)
        speed = Figure("speed behind the first MB", "Mbit/s", bound=8, at_least=True, digits=2)
        for number in range(1, bench.options.runs + 1):
            for server in servers:
                with inside(client_side):
                    megabits = download(server.tls)
                say(f"  {server.name}  run {number}/{bench.options.runs} {megabits:.2f} Mbit/s")
                speed.add(server.name, megabits)
        outcome.figures = [speed]


def download(port: int) -> float:
    """Megabits a second of a client that takes what comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((SERVER, port), timeout=30) as raw, context.wrap_socket(raw) as stream:
        stream.sendall(f"GET {DOWNLOAD_PATH} HTTP/1.1\r\nHost: {SERVER}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += receive(stream)
        head, _, body = head.partition(b"\r\n\r\n")
        have, length, since = len(body), content_length(head), None
        if length != SIZE:
            raise BenchError(f"{length} bytes instead of {SIZE}: {head[:80]!r}")
        while have < length:
            have += len(receive(stream))
            if since is None and have >= FIRST:
                since, before = time.monotonic(), have
    return (length - before) * 8 / 1e6 / (time.monotonic() - since)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Whatever is opened or started meanwhile is in that network namespace."""
    with open("/proc/thread-self/ns/net") as here, open(namespace) as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(here.fileno())


def enter(namespace: int) -> None:
    if _libc.setns(namespace, NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


# --- The link itself


def relay(delay: float) -> None:
    """Makes both ends, says where they are, and carries packets until it is killed."""
    server, server_side = end_of_link(SERVER)
    client, client_side = end_of_link(CLIENT)
    print(server_side, client_side, flush=True)
    other = {server: client, client: server}
    under_way: deque[tuple[float, int, bytes]] = deque()
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        readable, _, _ = select.select([server, client], [], [], wait)
        for end in readable:
            try:
                under_way.append((time.monotonic() + delay, other[end], os.read(end, 65536)))
            except BlockingIOError:
                pass
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, packet = under_way.popleft()
            try:
                os.write(end, packet)
            except OSError:
                pass  # A device without room loses it, as a network does.


def end_of_link(address: str) -> tuple[int, int]:
    """A namespace with a TUN device: the device, and the namespace."""
    if _libc.unshare(NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"far", IFF_TUN | IFF_NO_PI))
    for command in ("link set lo up", f"address add {address}/24 dev far", "link set far up"):
        subprocess.run(["ip", *command.split()], check=True)
    return device, os.open("/proc/thread-self/ns/net", os.O_RDONLY)


if __name__ == "__main__":
    relay(float(sys.argv[1]) / 2000)
