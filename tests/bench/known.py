"""Row i: check-ins at a server that knows a whole fleet, beside ones that know none, or follow no
downloads."""

import json
import re
import shutil
import threading
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import crowd
import image
from by_request import measure
from load import Row, Wrk
from machine import say
from outcome import Bench, Figure, Outcome
from servers import OURS, TICK, BenchError, Server, exchange, free_ports, slug_of, start_ours

EMPTY, UNTRACKED = "an empty fleet", "track: false"
OFFERED = "1.6.0"
FEW = 1000  # devices that check in, where not the whole fleet does
SEARCH = "/api/v1/devices?q=nowhere"
UNTRACK = "  fleet: {track: false}\n"


@dataclass(frozen=True)
class Known:
    """Row i."""

    letter: str = "i"
    name: str = "known-fleet"
    work: str = "check-in, kept alive, plain"

    def measure(self, bench: Bench, outcome: Outcome, stack: ExitStack) -> None:
        options, count = bench.options, bench.options.known
        outcome.work = f"{self.work}, {count:,} devices known"
        for number in range(crowd.BOARDS):
            image.write(bench.folder / f"data/bin/{crowd.board(number)}_{OFFERED}.bin", OFFERED, 64 * 1024)
        resident = Figure("memory of the process (RSS), all checked in", "MB", bound=350, judge=max)
        file = Figure("the store", "MB", bound=400, judge=max)
        after = Figure("memory, the store read", "MB", bound=350, judge=max)
        first = Figure("first answer behind the start", "s", bound=1, judge=max, digits=2)
        ready = Figure("all read behind the start", "s", judge=max, digits=2)
        cost = Figure("CPU an operation, 1,000 of them in turn", "µs", ratios={EMPTY: 1.2, UNTRACKED: 1.1})
        spread = Figure("CPU an operation, all of them in turn", "µs", ratios={EMPTY: None, UNTRACKED: None})
        calm = Figure("p99, 4 connections", "ms", judge=max, digits=2)
        busy = Figure("p99, 4 connections, beside searches", "ms", judge=max, digits=2)
        search = Figure("a search through all", "s", judge=max, digits=2)

        self.fill(bench, count, resident, file)
        own = bench.folder / "state" / slug_of(OURS)
        shutil.copytree(own, bench.folder / "state" / slug_of(UNTRACKED))
        for number in range(options.runs):
            server = self.start(bench, stack, first, ready)
            after.add(OURS, rss(server))
            if number < options.runs - 1:
                server.stop()
        servers = [
            server,
            start_ours(bench.folder, bench.binary, "p256", name=EMPTY),
            start_ours(bench.folder, bench.binary, "p256", name=UNTRACKED, more=UNTRACK),
        ]
        for other in servers[1:]:
            stack.callback(other.stop)
        wrk = Wrk(bench.folder, options.tls)
        sizes = {each.name: self.reply_size(each) for each in servers}
        time.sleep(2)
        for number in range(options.runs + 1):
            for devices, figure in ((FEW, cost), (count, spread)):
                row = Row(self.letter, self.name, self.work, 32, {}, crowd=devices)
                for each in servers:
                    # That one stays empty, all but.
                    few = Row(self.letter, self.name, self.work, 32, {}, crowd=FEW)
                    sample = measure(each, few if each.name == EMPTY else row, wrk, options.seconds, sizes[each.name])
                    say(f"  {each.name:<16} {devices:>9} in turn {figure.show(sample.cost)} us/op {sample.rate:,.0f} op/s")
                    if number:
                        figure.add(each.name, sample.cost)
                        outcome.foreign = max(outcome.foreign, sample.foreign)
        row = Row(self.letter, self.name, self.work, 4, {}, crowd=count)
        for _ in range(options.runs):
            calm.add(OURS, wrk.run(row, server.plain, options.seconds).p99)
            with Searches(server, bench.folder) as searches:
                busy.add(OURS, wrk.run(row, server.plain, options.seconds).p99)
            search.add(OURS, searches.longest)
        outcome.figures = [resident, file, after, first, ready, cost, spread, calm, busy, search]

    def fill(self, bench: Bench, count: int, resident: Figure, file: Figure) -> None:
        """Lets the fleet come: each device twice, and each is offered an image."""
        server = start_ours(bench.folder, bench.binary, "p256")
        try:
            time.sleep(1)
            offered = crowd.settle(server.plain, count, lambda done: say(f"  {done:,} devices have come twice"))
            if offered != count:
                raise BenchError(f"{offered} of {count} devices were offered an image")
            time.sleep(2)
            resident.add(OURS, rss(server))
        finally:
            server.stop()
        state = bench.folder / "state" / slug_of(OURS)
        file.add(OURS, sum(path.stat().st_size for path in state.glob("fleet.db*")) / 1e6)

    def start(self, bench: Bench, stack: ExitStack, first: Figure, ready: Figure) -> Server:
        [admin] = free_ports(1)
        request = crowd.Crowd.__new__(crowd.Crowd)
        request.templates = crowd.templates(b"/xiaozhi/ota/")
        begun = time.monotonic()
        server = start_ours(bench.folder, bench.binary, "p256", admin=f"127.0.0.1:{admin}")
        stack.callback(server.stop)
        server.admin = admin
        exchange(server.plain, request.request(0))
        first.add(OURS, age(server))
        while not is_ready(admin):
            if time.monotonic() - begun > 60:
                raise BenchError(f"it never was ready:\n{server.last_words()}")
            time.sleep(0.02)
        ready.add(OURS, age(server))
        # What was freed goes back to the machine after ten seconds.
        time.sleep(bench.options.kept_after + 2)
        say(f"  first answer {first.samples[OURS][-1]:.2f} s, ready {ready.samples[OURS][-1]:.2f} s")
        return server

    def reply_size(self, server: Server) -> int:
        made = crowd.Crowd(server.plain)
        sizes = set()
        for number in range(FEW):
            made.stream.sendall(made.request(number))
            [(head, body)] = made.whole_replies(1)
            sizes.add(len(head) + 4 + len(body))
        if len(sizes) != 1:
            raise BenchError(f"{server.name} answers of several sizes: {sizes}")
        return sizes.pop()


class Searches:
    """Somebody who searches the whole fleet, again and again."""

    def __init__(self, server: Server, folder: Path) -> None:
        token = (folder / "state" / slug_of(server.name) / "admin.token").read_text().strip()
        self.request = urllib.request.Request(
            f"http://127.0.0.1:{server.admin}{SEARCH}", headers={"Authorization": f"Bearer {token}"}
        )
        self.longest = 0.0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.ends.is_set():
            begun = time.monotonic()
            with urllib.request.urlopen(self.request, timeout=60) as reply:
                json.load(reply)
            self.longest = max(self.longest, time.monotonic() - begun)

    def __enter__(self) -> "Searches":
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ends.set()
        self.thread.join()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as reply:
            return reply.status == 200
    except OSError:
        return False


def age(server: Server) -> float:
    """Seconds since its process began, in steps of a tick."""
    stat = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat[19]) / TICK


def rss(server: Server) -> float:
    """Megabytes of its process."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1)) * 1024 / 1e6
