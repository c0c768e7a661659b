"""A TCP relay on loopback that listens to TLS handshakes.

Neither server's word, nor wrk's, is taken for what was negotiated: it is read
from the bytes of the handshake, which are in the clear as far as needed. The
relay also counts connections exactly. It carries the rehearsal before a row,
never a measured run.
"""

import asyncio
import threading
from dataclasses import dataclass, field

HANDSHAKE = 22  # a record's type; the others are message types
CLIENT_HELLO, SERVER_HELLO, SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE = 1, 2, 12, 14
EXT_TICKET, EXT_PRE_SHARED_KEY, EXT_VERSIONS, EXT_KEY_SHARE = 35, 41, 43, 51
KEPT = 16 * 1024  # of each direction: more than both first flights

VERSIONS = {0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
CIPHERS = {
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0x1301: "TLS_AES_128_GCM_SHA256",
}
GROUPS = {0x0017: "P-256", 0x001D: "X25519"}


@dataclass(frozen=True)
class Handshake:
    """What one connection negotiated."""

    version: str
    cipher: str
    group: str
    resumption_offered: bool
    resumed: bool

    def __str__(self) -> str:
        return f"{self.version}, {self.cipher}, {self.group}"


@dataclass
class Connection:
    client: bytearray = field(default_factory=bytearray)
    server: bytearray = field(default_factory=bytearray)


class Wiretap:
    """`with Wiretap(port) as tap:` relays `tap.port` to `port` of 127.0.0.1."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self.connections: list[Connection] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Wiretap":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def used(self) -> int:
        """Connections that carried a request or at least began to."""
        return sum(1 for c in self.connections if c.client)

    def handshakes(self) -> list[Handshake]:
        """Every handshake that got as far as the server's side of it."""
        read = (parse(bytes(c.client), bytes(c.server)) for c in self.connections)
        return [h for h in read if h]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        # Of a task that is cancelled before it began asyncio prints a traceback.
        self._loop.set_exception_handler(lambda *_: None)
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = Connection()
        self.connections.append(seen)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            await asyncio.gather(
                relay(reader, up_writer, seen.client), relay(up_reader, writer, seen.server)
            )
        except (OSError, asyncio.CancelledError):
            pass  # cancelled: the rehearsal is over, which is nothing to print a traceback for
        finally:
            writer.close()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    try:
        while data := await reader.read(256 * 1024):
            if len(kept) < KEPT:
                kept += data[: KEPT - len(kept)]
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def parse(client: bytes, server: bytes) -> Handshake | None:
    hello = messages(client)[0].get(CLIENT_HELLO)
    flight, over = messages(server)
    answer = flight.get(SERVER_HELLO)
    if hello is None or answer is None:
        return None
    offered = extensions(hello, client=True)
    chosen = extensions(answer, client=False)
    session_end = 35 + answer[34]
    version = int.from_bytes(chosen.get(EXT_VERSIONS, answer[0:2]), "big")
    cipher = int.from_bytes(answer[session_end : session_end + 2], "big")
    if version == 0x0304:
        group = int.from_bytes(chosen.get(EXT_KEY_SHARE, b"")[:2], "big")
        resumption_offered = EXT_PRE_SHARED_KEY in offered
        resumed = EXT_PRE_SHARED_KEY in chosen
    else:
        # A server that resumes TLS 1.2 ends its flight without a ServerHelloDone.
        if SERVER_HELLO_DONE not in flight and not over:
            return None
        group = int.from_bytes(flight.get(SERVER_KEY_EXCHANGE, b"")[1:3], "big")
        resumption_offered = bool(offered.get(EXT_TICKET)) or hello[34] > 0
        resumed = SERVER_HELLO_DONE not in flight
    return Handshake(
        VERSIONS.get(version, hex(version)),
        CIPHERS.get(cipher, hex(cipher)),
        GROUPS.get(group, hex(group)),
        resumption_offered,
        resumed,
    )


def messages(stream: bytes) -> tuple[dict[int, bytes], bool]:
    """The handshake messages by type, up to the first record of another kind, and whether
    that record was reached."""
    joined, at = b"", 0
    while at + 5 <= len(stream) and stream[at] == HANDSHAKE:
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        joined += stream[at + 5 : at + 5 + length]
        at += 5 + length
    over = at < len(stream) and stream[at] != HANDSHAKE
    found, at = {}, 0
    while at + 4 <= len(joined):
        end = at + 4 + int.from_bytes(joined[at + 1 : at + 4], "big")
        if end > len(joined):
            break
        found.setdefault(joined[at], joined[at + 4 : end])
        at = end
    return found, over


def extensions(hello: bytes, client: bool) -> dict[int, bytes]:
    at = 35 + hello[34]  # version, random, session id
    if client:
        at += 2 + int.from_bytes(hello[at : at + 2], "big")  # cipher suites
        at += 1 + hello[at]  # compression methods
    else:
        at += 3
    found, at = {}, at + 2
    while at + 4 <= len(hello):
        length = int.from_bytes(hello[at + 2 : at + 4], "big")
        found[int.from_bytes(hello[at : at + 2], "big")] = hello[at + 4 : at + 4 + length]
        at += 4 + length
    return found
