"""Rows g and h: many devices at once, played by `xiaozhi-ota simulate`."""

import json
import os
import resource
import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import image
from by_request import await_offer
from machine import machine_busy, say
from outcome import Bench, Figure, Outcome
from servers import (
    BEHIND,
    BOARD,
    CHECKIN_PATH,
    NGINX,
    OFFERED,
    BenchError,
    Server,
    constant,
    spawn,
    start_behind,
    start_nginx,
    stop,
)

OLD = "1.5.0"
PACE = 48_000  # bytes a second: what a device on Wi-Fi manages
SMALL_BOARD, SMALL = "bench-small", 64 * 1024
SMALL_PATH = "/small/"
PAGE = os.sysconf("SC_PAGE_SIZE")
LOOKS = 9  # at memory, over the middle third of a download


@dataclass(frozen=True)
class Downloads:
    """Row g."""

    letter: str = "g"
    name: str = "paced-downloads"
    work: str = "TLS downloads at 48 KB/s at once"

    def measure(self, bench: Bench, outcome: Outcome, stack: ExitStack) -> None:
        options = bench.options
        size = PACE * options.pace_seconds // 64 * 64
        outcome.work = f"{options.downloads:,} {self.work}, {size / 1e6:.2f} MB each"
        servers = self.start(bench, size, stack)
        cpu = Figure("CPU per MB", "µs", ratios={NGINX: 0.8})
        process = Figure("process memory a connection (Pss)", "KB", bound=48)
        kernel = Figure("kernel memory a connection, both ends", "KB", bound=288)
        generator = Generator("per MB")
        before = {}
        for server in servers:
            # The image is in memory before anything counts. What later runs find kept is theirs.
            play(bench, server, outcome, 1, BOARD)
            before[server.name] = server.pss()
        for number in range(1, options.runs + 1):
            for server in servers:
                with_image, memory, summary = play(bench, server, outcome, options.downloads, BOARD, size)
                with_small, _, _ = play(bench, server, outcome, options.downloads, SMALL_BOARD, SMALL)
                generator.add(server, summary, options.downloads * size / 1e6)
                megabytes = options.downloads * (size - SMALL) / 1e6
                cpu.add(server.name, (with_image - with_small) / megabytes * 1e6)
                process.add(server.name, (memory[0] - before[server.name]) / options.downloads / 1000)
                kernel.add(server.name, memory[1] / options.downloads / 1000)
                say(f"  {server.name}  run {number}/{options.runs}  {latest(server, cpu, process, kernel)}")
        outcome.figures = [cpu, process, kernel, generator.cpu, generator.late]

    def start(self, bench: Bench, size: int, stack: ExitStack) -> list[Server]:
        """Ours and Nginx, with an image of `size` and one that is all but nothing. Check-ins
        come plain, so that of TLS there are downloads only."""
        folder = bench.folder
        for model, length in ((BOARD, size), (SMALL_BOARD, SMALL)):
            image.write(folder / f"data/bin/{model}_{OFFERED}.bin", OFFERED, length)
        servers = bench.start_ours(stack, "p256", image_over_tls=True)
        offers = [await_offer(servers[0], board) for board in (BOARD, SMALL_BOARD)]
        for server in servers[1:]:
            await_offer(server, SMALL_BOARD)
        ours_tls = servers[0].tls

        def answers(_plain: int, tls: int) -> str:
            replies = [o.replace(b"localhost:%d" % ours_tls, b"localhost:%d" % tls) for o in offers]
            return constant(replies[0]) + "\n        " + constant(replies[1], SMALL_PATH)

        servers.append(start_nginx(folder, "p256", answers, connections=4 * bench.options.downloads))
        stack.callback(servers[-1].stop)
        return servers


def play(
    bench: Bench, server: Server, outcome: Outcome, devices: int, board: str, size: int = 0
) -> tuple[float, tuple[float, float], dict]:
    """An update of so many devices. Returns the server's CPU seconds; in mid-run of downloads
    that take longer than a moment its process's bytes, and those by which the kernel's grew; and
    what the fleet says."""
    path = SMALL_PATH if server.name == NGINX and board == SMALL_BOARD else CHECKIN_PATH
    url = f"http://localhost:{server.plain}{path}"
    options = ["--version", OLD, *(["--pace", f"{PACE // 1000}KB/s"] if size else [])]
    busy = machine_busy()
    cpu, pages = server.settled_cpu_seconds(), kernel_pages()
    memory = (0.0, 0.0)
    with Fleet(bench, url, devices, board, options, 120 + size // PACE) as fleet:
        if size > SMALL:
            await_connections(server, devices, fleet)
            time.sleep(size / PACE / 3)
            looks = []
            for _ in range(LOOKS):
                looks.append((server.pss(), (kernel_pages() - pages) * PAGE))
                time.sleep(size / PACE / 3 / LOOKS)
            there = established(server.tls)
            memory = tuple(map(median, zip(*looks)))
            if there < devices:
                raise BenchError(f"{server.name}: {there} of {devices} downloads are under way in mid-run")
            if kernel_pages() > pressure():
                outcome.notes.append(f"{server.name}: TCP's memory is above tcp_mem's pressure")
        summary = fleet.summary()
    used = server.settled_cpu_seconds() - cpu
    note_others(outcome, busy, used)
    whole, checks = summary["downloads"]["whole"], summary["checks"]["answered"]
    if not summary["good"] or summary["errors"] or (whole, checks) != (devices, 2 * devices):
        raise BenchError(f"{server.name}: {whole} of {devices} downloads came whole: {summary['errors']}")
    return used, memory, summary


def latest(server: Server, *figures: Figure) -> str:
    return ", ".join(f"{f.what} {f.show(f.samples[server.name][-1])} {f.unit}".rstrip() for f in figures)


@dataclass(frozen=True)
class Storm:
    """Row h."""

    letter: str = "h"
    name: str = "boot-storm"
    work: str = "devices over TLS, one check each"

    def measure(self, bench: Bench, outcome: Outcome, stack: ExitStack) -> None:
        options = bench.options
        devices, ramp = options.storm_devices, options.storm_seconds
        outcome.work = f"{devices:,} {self.work}, within {ramp} s"
        servers = bench.start_ours(stack, "p256")
        for server in servers:
            await_offer(server)
        servers.append(start_behind(bench.folder, "p256", connections=devices))
        stack.callback(servers[-1].stop)
        cpu = Figure("CPU per answered device", "µs", ratios={BEHIND: 0.35})
        vain = Figure("devices not answered at the first try", "", bound=0, judge=max, digits=0)
        behind = Figure("last answer behind the ramp", "s", bound=1, judge=max, digits=2)
        kept = Figure(f"memory kept {options.kept_after} s after (Pss)", "MB")
        generator = Generator("a device")
        for number in range(1, options.runs + 1):
            for server in servers:
                self.run(bench, server, outcome, generator, (cpu, vain, behind, kept))
                say(f"  {server.name}  run {number}/{options.runs}  {latest(server, cpu, vain, behind, kept)}")
        outcome.figures = [cpu, vain, behind, kept, generator.cpu, generator.late]

    def run(
        self, bench: Bench, server: Server, outcome: Outcome, generator: "Generator", figures: tuple[Figure, ...]
    ) -> None:
        options = bench.options
        devices, ramp = options.storm_devices, options.storm_seconds
        cpu, vain, behind, kept = figures
        url = f"https://localhost:{server.tls}{CHECKIN_PATH}"
        busy, before = machine_busy(), server.settled_cpu_seconds()
        # Retries come 10, 20, 40 s later: who is still without an answer then counts as such.
        with Fleet(bench, url, devices, BOARD, ["--version", OFFERED, "--ramp", f"{ramp}s"], ramp + 90) as fleet:
            summary = fleet.summary()
        used = server.settled_cpu_seconds() - before
        note_others(outcome, busy, used)
        generator.add(server, summary, devices)
        answered, failed = summary["checks"]["answered"], summary["checks"]["failed"]
        if not answered:
            raise BenchError(f"{server.name} answered nobody: {summary['errors']}")
        if any(error["of_simulator"] for error in summary["errors"]):
            raise BenchError(f"the fleet itself ran short: {summary['errors']}")
        if summary["errors"]:
            kinds = ", ".join(f"{error['count']} of {error['kind']!r}" for error in summary["errors"])
            outcome.notes.append(f"beside {server.name} tries failed: {kinds}")
        cpu.add(server.name, used / answered * 1e6)
        vain.add(server.name, max(failed, devices - answered))
        behind.add(server.name, summary["seconds"] - ramp)
        time.sleep(options.kept_after)
        kept.add(server.name, server.pss() / 1e6)


class Fleet:
    """A running `simulate`; ended where its figures are not waited for."""

    def __init__(self, bench: Bench, url: str, devices: int, board: str, options: list[str], most: int) -> None:
        self.most = most
        # A copy: of a file that both map, Pss would count a half for the server.
        copy = bench.folder / "fleet"
        if not copy.exists():
            shutil.copy(bench.binary, copy)
        command = [str(copy), "simulate", url, "--resolve", "localhost=127.0.0.1"]
        command += ["--ca", "certs/p256.pem", "--boards", board, "--devices", str(devices)]
        command += ["--for", f"{most}s", "--json", "--lang", "en", *options]
        self.said = bench.folder / "fleet.stderr"
        with self.said.open("wb") as stderr:
            self.process = spawn(command, cwd=bench.folder, stdout=subprocess.PIPE, stderr=stderr)

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_error: object) -> None:
        stop(self.process)

    def summary(self) -> dict:
        out, _ = self.process.communicate(timeout=self.most + 60)
        try:
            return json.loads(out)
        except ValueError:
            raise BenchError(f"simulate failed: {self.said.read_text(errors='replace')[-400:]}") from None


class Generator:
    """What the load itself takes of the machine that it shares with the servers."""

    def __init__(self, per: str) -> None:
        self.cpu = Figure(f"the fleet itself, CPU {per}", "µs")
        self.late = Figure("the fleet itself, at most so late", "ms", judge=max, digits=0)

    def add(self, server: Server, summary: dict, operations: float) -> None:
        self.cpu.add(server.name, summary["simulator"]["cpu_seconds"] / operations * 1e6)
        self.late.add(server.name, summary["simulator"]["late_ms"])


def note_others(outcome: Outcome, before: tuple[float, float, float], used: float) -> None:
    wall, busy, mine = (b - a for a, b in zip(before, machine_busy()))
    outcome.foreign = max(outcome.foreign, (busy - mine - used) / (wall * (os.cpu_count() or 1)))


def await_connections(server: Server, count: int, fleet: Fleet) -> None:
    deadline = time.monotonic() + 60
    while (there := established(server.tls)) < count:
        if fleet.process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{server.name}: never more than {there} of {count} downloads at once")
        time.sleep(0.1)


def established(port: int) -> int:
    """Connections that are open on a port of ours, as the server sees them."""
    local = f":{port:04X}"
    rows = (line.split() for table in ("tcp", "tcp6") for line in proc_net(table)[1:])
    return sum(row[1].endswith(local) and row[3] == "01" for row in rows)


def proc_net(table: str) -> list[str]:
    path = Path(f"/proc/net/{table}")
    return path.read_text().splitlines() if path.exists() else []


def kernel_pages() -> int:
    """Pages that the kernel holds for TCP, of the whole machine."""
    words = next(line for line in proc_net("sockstat") if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1])


def pressure() -> int:
    return int(Path("/proc/sys/net/ipv4/tcp_mem").read_text().split()[1])


def check_room(options) -> None:
    """One process holds a file for each connection."""
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500
    if options.downloads > room:
        raise BenchError(f"{options.downloads} downloads at once are more than the limit of open files allows ({room})")
