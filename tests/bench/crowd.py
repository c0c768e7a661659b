"""A crowd of devices that check in for good: each comes twice, as at two boots, and is settled.

`crowd.py PORT COUNT` plays it by hand; row i of `run` uses it."""

import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOARDS, VERSIONS = 30, 5
# A check-in less than 10 s behind the last one is of the same boot.
APART = 10.5
# Fewer than the newcomers that a server keeps: those that did not come twice go for others.
ON_THE_WAY = 50_000
AT_ONCE = 64
FIXTURE_MAC, FIXTURE_UUID, FIXTURE_BOARD, FIXTURE_VERSION = (
    b"30:ed:a0:00:00:00",
    b"7b94d69a-9808-4c59-9c9b-000000000000",
    b"bench-board",
    b"1.5.6",
)


def board(number: int) -> str:
    return f"crowd-{number % BOARDS:02}"


def mac(number: int) -> str:
    """Addresses of one maker, as a fleet has them."""
    return "34:85:18:%02x:%02x:%02x" % (number >> 16 & 255, number >> 8 & 255, number & 255)


def templates(path: bytes) -> list[bytes]:
    """Requests of every board and version, with places for address and client."""
    report = (HERE / "checkin.json").read_bytes().replace(b"%", b"%%")
    made = []
    for kind in range(BOARDS * VERSIONS):
        name, version = board(kind).encode(), b"1.5.%d" % (kind // BOARDS)
        body = report.replace(FIXTURE_BOARD, name).replace(FIXTURE_VERSION, version)
        length = len(body.replace(b"%%", b"%"))
        body = body.replace(FIXTURE_MAC, b"%(mac)s").replace(FIXTURE_UUID, b"%(uuid)s")
        head = b"\r\n".join([
            b"POST %s HTTP/1.1" % path,
            b"Host: localhost",
            b"Device-Id: %(mac)s",
            b"Client-Id: %(uuid)s",
            b"User-Agent: %s/%s" % (name, version),
            b"Accept-Language: zh-CN",
            b"Activation-Version: 1",
            b"Content-Type: application/json",
            b"Content-Length: %d" % length,
        ])  # fmt: skip
        made.append(head + b"\r\n\r\n" + body)
    return made


class Crowd:
    """One connection, on which many check-ins are under way at once."""

    def __init__(self, port: int, ip: str = "127.0.0.1", path: bytes = b"/xiaozhi/ota/") -> None:
        self.stream = socket.create_connection((ip, port), timeout=60)
        self.templates = templates(path)
        self.rest = b""

    def request(self, number: int) -> bytes:
        kind = (number * 7919 >> 3) % len(self.templates)
        uuid = b"7b94d69a-9808-4c59-9c9b-%012x" % number
        return self.templates[kind] % {b"mac": mac(number).encode(), b"uuid": uuid}

    def check_in(self, numbers: list[int]) -> int:
        """Lets devices check in, and waits for their answers. Returns how many were offered an
        update."""
        self.stream.sendall(b"".join(map(self.request, numbers)))
        return sum(b'"url":"http' in body for _, body in self.whole_replies(len(numbers)))

    def whole_replies(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """Head and body of each reply."""
        data = self.rest
        while count:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                head = data[:end].lower()
                if b" 200 " not in head[:13]:
                    raise OSError(f"answered {head!r}")
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                whole = end + 4 + length
                if len(data) >= whole:
                    yield data[:end], data[end + 4 : whole]
                    data, count = data[whole:], count - 1
                    continue
            more = self.stream.recv(1 << 18)
            if not more:
                raise OSError("the server closed the connection")
            data += more
        self.rest = data


def settle(port: int, count: int, said=lambda *_: None) -> int:
    """Lets so many devices check in twice each. Returns how many were offered an update at the
    second time."""
    crowd, used = Crowd(port), time.monotonic()
    waiting: deque[tuple[float, range]] = deque()
    at = offered = done = 0
    while done < count:
        now = time.monotonic()
        if now - used > 2:
            # A connection that rests is closed.
            crowd, used = Crowd(port), now
        if waiting and now - waiting[0][0] >= APART:
            _, numbers = waiting.popleft()
            offered += crowd.check_in(list(numbers))
            done += len(numbers)
            used = now
            if done % 50_000 < len(numbers):
                said(done)
        elif at < count and at - done < ON_THE_WAY:
            numbers = range(at, min(at + AT_ONCE, count))
            crowd.check_in(list(numbers))
            at, used = numbers.stop, now
            waiting.append((time.monotonic(), numbers))
        else:
            time.sleep(0.01)
    return offered


if __name__ == "__main__":
    port, count = map(int, sys.argv[1:])
    begun = time.monotonic()
    offered = settle(port, count, lambda done: print(done, f"{time.monotonic() - begun:.0f} s", flush=True))
    print(f"{count} devices, {offered} offered, {time.monotonic() - begun:.1f} s")
