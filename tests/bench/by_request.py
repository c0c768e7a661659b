"""Rows a to f: one request after the other, by wrk."""

import hashlib
import json
import os
import re
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass

from load import REQUESTS_PER_CONNECTION, Row, Wrk, check_bytes
from machine import machine_busy, output, passive_opens, remove, say
from outcome import Bench, Figure, Outcome
from servers import (
    BOARD,
    CHECKIN_PATH,
    HERE,
    NGINX,
    OFFERED,
    OURS,
    TICK,
    BenchError,
    Server,
    constant,
    exchange,
    start_haproxy,
    start_nginx,
)
from wiretap import Wiretap

RUNNING = "1.5.6"  # the version in checkin.json

def measure_row(row: Row, bench: Bench, wrk: Wrk, outcome: Outcome, stack: ExitStack) -> None:
    options, folder = bench.options, bench.folder
    for old in ("logs", "nginx-access.log", "haproxy-access.log"):
        remove(folder / old)
    servers = bench.start_ours(stack, row.key)
    ours, tls = servers[0], options.tls
    offer = await_offer(ours)
    for peer in row.goals:
        if peer == NGINX:
            servers.append(start_nginx(folder, row.key, lambda _plain, _tls: constant(offer)))
        else:
            servers.append(start_haproxy(folder, row.key, offer))
        stack.callback(servers[-1].stop)
    for server in servers[1 : len(bench.of_ours())]:
        await_offer(server)

    sizes = {s.name: look(s, row, bench, len(offer)) for s in servers}
    done = {s.name: 0 for s in servers}
    spoken = {}
    for server in servers:
        spoken[server.name], requests = rehearse(server, row, wrk)
        done[server.name] += requests
    if len(set(spoken.values())) != 1:
        raise BenchError(f"different TLS: {spoken}")
    outcome.negotiated = spoken[OURS]
    if row.tls and not outcome.negotiated.startswith(f"TLS {tls},"):
        raise BenchError(f"asked for TLS {tls}, but all speak {outcome.negotiated}")
    say(f"  {outcome.negotiated or 'plain HTTP'}; " + ", ".join(f"{s.name}: {s.workers()}" for s in servers))

    cost = Figure("CPU an operation", "µs")
    signatures = []
    for number in range(options.runs + 1):
        if row.above_signature and number:
            signatures.append(bare_signature())
        for server in servers:
            sample = measure(server, row, wrk, options.seconds, sizes[server.name])
            done[server.name] += sample.requests
            label = f"run {number}/{options.runs}" if number else "warm-up"
            say(
                f"  {server.name:<12}{label:<10}{cost.show(sample.cost):>9} us/op  "
                f"{sample.rate:>9,.1f} op/s  others {sample.foreign:.0%}"
            )
            if number:
                cost.add(server.name, sample.cost)
                outcome.foreign = max(outcome.foreign, sample.foreign)

    for server in servers:
        lines = server.logged_lines()
        say(f"  {server.name}: {lines / done[server.name]:.2f} log lines per request")
        if lines < 0.99 * done[server.name] and (row.checkin or server.name in row.goals):
            raise BenchError(
                f"{server.name} logged {lines} lines for {done[server.name]} requests: "
                "its log is off, drops lines or has rotated away"
            )
    outcome.figures = judged(row, cost, signatures)


def judged(row: Row, cost: Figure, signatures: list[float]) -> list[Figure]:
    """The costs with their goals: where a signature is most of what all pay, those hold for
    what comes on top of it."""
    if not signatures:
        cost.ratios, cost.binding = dict(row.goals), row.binding
        return [cost]
    bare = Figure("bare RSA-2048 signature, openssl speed", "µs", {OURS: signatures})
    above = Figure("CPU above the bare signature", "µs", ratios=dict(row.goals), binding=row.binding)
    for server, costs in cost.samples.items():
        above.samples[server] = [a - b for a, b in zip(costs, signatures)]
    for peer in row.goals:
        if above.value(peer) <= 0:
            raise BenchError(f"{peer} takes no longer than openssl's bare signature: nothing to compare")
    return [cost, bare, above]


def bare_signature() -> float:
    """Microseconds of CPU that OpenSSL takes for one RSA-2048 signature."""
    said = output("openssl", "speed", "-seconds", "2", "rsa2048")
    line = re.search(r"^rsa 2048 bits\s+\S+\s+\S+\s+([\d.]+)\s+[\d.]+\s*$", said, re.M)
    if not line:
        raise BenchError(f"openssl speed says no signatures a second: {said[-200:]}")
    return 1e6 / float(line.group(1))


@dataclass(frozen=True)
class Sample:
    cost: float  # microseconds of CPU per request
    requests: int
    rate: float
    foreign: float


def measure(server: Server, row: Row, wrk: Wrk, seconds: int, reply_size: int) -> Sample:
    pids = server.pids()
    cpu, ticks = server.settled_cpu_seconds(), server.cpu_ticks()
    before, opened = machine_busy(), passive_opens()
    load = wrk.run(row, server.tls if row.tls else server.plain, seconds)
    used, ticked = server.settled_cpu_seconds() - cpu, server.cpu_ticks() - ticks
    after, opened = machine_busy(), passive_opens() - opened

    if server.pids() != pids:
        raise BenchError(f"{server.name}: its processes changed in mid-run:\n{server.last_words()}")
    check_bytes(row, load, reply_size)
    # System-wide, so others may add to it, but never take away.
    if row.close and opened < load.requests:
        raise BenchError(f"{load.requests} requests came over {opened} connections only")
    if abs(used - ticked) > 0.05 * used + 2.0 / TICK * len(pids):
        say(f"  note: {used:.3f} s by the CPU clock, {ticked:.2f} s by /proc/PID/stat")

    wall, busy, mine = (b - a for a, b in zip(before, after))
    foreign = max(0.0, busy - mine - used) / (wall * (os.cpu_count() or 1))
    operations = load.operations(row, reply_size)
    return Sample(used / operations * 1e6, load.requests, operations / load.seconds, foreign)


def await_offer(ours: Server, board: str = BOARD, ip: str = "127.0.0.1") -> bytes:
    """Our reply to the fixture, once it carries the offer: the first scan may be under way."""
    deadline = time.monotonic() + 10
    while True:
        head, body, _ = exchange(ours.plain, checkin(close=True, board=board), ip=ip)
        try:
            firmware = json.loads(body)["firmware"]
            # A token stands behind the name.
            file = firmware["url"].partition("?")[0]
            if firmware["version"] == OFFERED and file.endswith(f"/{board}_{OFFERED}.bin"):
                return body
        except (ValueError, KeyError, TypeError):
            pass
        if time.monotonic() > deadline:
            raise BenchError(f"no update is offered:\n{head.decode()}\n\n{body.decode(errors='replace')}")
        time.sleep(0.1)


def look(server: Server, row: Row, bench: Bench, reply: int) -> int:
    """One request as wrk will send it. Returns the size of the whole reply, head included."""
    context, tls, folder = None, bench.options.tls, bench.folder
    if row.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
        context.minimum_version = context.maximum_version = version
    request = checkin(row.close) if row.checkin else f"GET {row.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    head, body, certificate = exchange(server.tls if row.tls else server.plain, request, context)
    if head.split(b" ")[1] != b"200":
        raise BenchError(f"{server.name} answers {head.decode()!r}")
    if row.checkin and len(body) != reply:
        raise BenchError(f"{server.name} answers {len(body)} bytes instead of {reply}")
    if not row.checkin and hashlib.sha256(body).hexdigest() != bench.image_sha256:
        raise BenchError(f"{server.name} serves other bytes than the image's")
    if row.tls and certificate != ssl.PEM_cert_to_DER_cert((folder / f"certs/{row.key}.pem").read_text()):
        raise BenchError(f"{server.name} shows another certificate than the {row.key} one")
    return len(head) + 4 + len(body)


def checkin(close: bool, board: str = BOARD, version: str = RUNNING) -> bytes:
    body = (HERE / "checkin.json").read_bytes()
    body = body.replace(BOARD.encode(), board.encode()).replace(RUNNING.encode(), version.encode())
    said = json.loads(body)
    head = [
        f"POST {CHECKIN_PATH} HTTP/1.1",
        "Host: localhost",
        f"Device-Id: {said['mac_address']}",
        f"Client-Id: {said['uuid']}",
        f"User-Agent: {board}/{version}",
        "Accept-Language: zh-CN",
        "Activation-Version: 1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def rehearse(server: Server, row: Row, wrk: Wrk) -> tuple[str, int]:
    """A second of the row through the wiretap: what was negotiated, and over how many
    connections. Returns the former, and the number of requests."""
    with Wiretap(server.tls if row.tls else server.plain) as tap:
        requests = wrk.run(row, tap.port, 1).requests
        connections, handshakes = tap.used(), tap.handshakes()
    if row.close and connections < requests:
        raise BenchError(f"{server.name}: {requests} requests over {connections} connections only")
    if not row.close and connections > row.connections + requests // REQUESTS_PER_CONNECTION:
        raise BenchError(f"{server.name} does not keep alive: {connections} connections for {requests} requests")
    say(f"  {server.name}: rehearsal, {requests} requests over {connections} connections")
    if not row.tls:
        return "", requests
    if row.close and any(h.resumed or h.resumption_offered for h in handshakes):
        resumed = sum(h.resumed for h in handshakes)
        raise BenchError(f"{server.name}: {resumed} of {len(handshakes)} handshakes were resumed, or offered to be")
    if row.close and len(handshakes) < requests:
        raise BenchError(f"{server.name}: {requests} requests, but {len(handshakes)} handshakes were seen")
    spoken = sorted({str(h) for h in handshakes})
    if len(spoken) != 1:
        raise BenchError(f"{server.name} negotiated {' and '.join(spoken) or 'nothing'}")
    return spoken[0] + (", full handshakes only" if row.close else ""), requests
