"""Row i: check-ins at a server that knows a whole fleet, beside ones that know none, or follow no
downloads; and its pages, while devices check in."""

import html
import http.client
import re
import shutil
import sys
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
from servers import OURS, TICK, BenchError, Server, exchange, free_ports, slug_of, spawn, start_ours, stop

EMPTY, UNTRACKED = "an empty fleet", "track: false"
OFFERED = "1.6.0"
FEW = 1000  # devices that check in, where not the whole fleet does
CALM, COMPUTING = "none", "a program that computes"
# Check-ins a second beside which somebody searches, of so many connections.
PACE, CONNECTIONS = 2000, 64
# Every device has it, and of these so many pages of 100 are read.
SEARCH, LEAVES = "/devices?q=crowd", 50
OTHERS = ("/devices", SEARCH, f"/devices/{crowd.mac(0)}", "/firmware", "/server", "/server/diagnostics", "/acts")
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
        beside = Figure(f"p99 of {PACE:,} check-ins a second, beside a search", "ms", ratios={COMPUTING: 1.1, CALM: 1.1}, digits=2)
        leaf = Figure("a page of 100 devices that a search finds, beside them", "s", digits=3)
        nowhere = Figure("a search of the page that finds nobody", "s", judge=max, digits=3)
        page = Figure("the first page", "s", bound=0.2, judge=max, digits=3)
        others = Figure("the slowest of the other pages", "s", judge=max, digits=3)
        weight = Figure("the first page and what it is made of", "KB", bound=60, judge=max)

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
        row = Row(self.letter, self.name, self.work, CONNECTIONS, {}, crowd=count, pause=CONNECTIONS * 1000 // PACE)
        for number in range(options.runs + 1):
            alone = paced(wrk, row, server, options.seconds)
            with Reader(server, bench.folder) as reader:
                disturbed = paced(wrk, row, server, options.seconds)
            # The reader, too, takes one of the cores, which a device notices whatever is read.
            with Computing():
                computing = paced(wrk, row, server, options.seconds)
            say(f"  p99 {disturbed:.2f} ms beside {len(reader.took)} pages, {computing:.2f} computing, {alone:.2f} alone")
            if number:
                beside.add(OURS, disturbed)
                beside.add(COMPUTING, computing)
                beside.add(CALM, alone)
                leaf.samples.setdefault(OURS, []).extend(reader.took)
        visitor = Visitor(server, bench.folder)
        for _ in range(options.runs):
            page.add(OURS, visitor.look("/"))
            others.add(OURS, max(map(visitor.look, OTHERS)))
            nowhere.add(OURS, visitor.look("/devices?q=nowhere"))
        weight.add(OURS, visitor.weight("/") / 1000)
        outcome.figures = [resident, file, after, first, ready, cost, spread]
        outcome.figures += [beside, leaf, nowhere, page, others, weight]

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


def paced(wrk: Wrk, row: Row, server: Server, seconds: int) -> float:
    """The 99th percentile of the time to an answer, in milliseconds, at the pace of the row."""
    load = wrk.run(row, server.plain, seconds)
    if load.requests < 0.7 * PACE * load.seconds:
        raise BenchError(f"{load.requests} check-ins in {load.seconds:.1f} s are too few: {PACE} a second are meant")
    return load.p99


class Visitor:
    """Somebody who signed in to the page."""

    def __init__(self, server: Server, folder: Path) -> None:
        token = (folder / "state" / slug_of(server.name) / "admin.token").read_text().strip()
        self.address = f"127.0.0.1:{server.admin}"
        self.link = http.client.HTTPConnection(self.address, timeout=60)
        self.cookie = ""
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self.address}"}
        reply, _ = self.ask("POST", "/sign-in", f"token={token}", form, 303)
        self.cookie = (reply.getheader("Set-Cookie") or "").partition(";")[0]

    def ask(self, method: str, path: str, body: str | None, headers: dict, expected: int):
        self.link.request(method, path, body, {"Cookie": self.cookie, **headers})
        reply = self.link.getresponse()
        read = reply.read()
        if reply.status != expected:
            raise BenchError(f"{method} {path} is answered {reply.status}: {read[:300]!r}")
        return reply, read

    def get(self, path: str) -> str:
        return self.ask("GET", path, None, {}, 200)[1].decode()

    def look(self, path: str) -> float:
        """Seconds until the whole page is there."""
        begun = time.monotonic()
        self.get(path)
        return time.monotonic() - begun

    def weight(self, path: str) -> int:
        """Bytes of a page and of what it is made of."""
        page = self.get(path)
        parts = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', page))
        return len(page.encode()) + sum(len(self.ask("GET", part, None, {}, 200)[1]) for part in parts)


class Reader(Visitor):
    """Somebody who reads what a search finds, page by page, again and again."""

    def __enter__(self) -> "Reader":
        self.took: list[float] = []
        self.failed: list[Exception] = []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ends.set()
        self.thread.join()
        if self.failed:
            raise self.failed[0]

    def run(self) -> None:
        try:
            while not self.ends.is_set():
                self.read_on()
        except (OSError, BenchError, http.client.HTTPException) as error:
            self.failed.append(error)

    def read_on(self) -> None:
        path = SEARCH
        for _ in range(LEAVES):
            begun = time.monotonic()
            page = self.get(path)
            self.took.append(time.monotonic() - begun)
            more = re.search(r'href="(/devices\?(?![^"]*lang=)[^"]*after=[^"]*)"', page)
            if self.ends.is_set() or not more:
                return
            path = html.unescape(more.group(1))


class Computing:
    """A process that takes one core, and talks to nobody."""

    def __enter__(self) -> None:
        self.process = spawn([sys.executable, "-c", "while True: pass"])

    def __exit__(self, *_error: object) -> None:
        stop(self.process)


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
