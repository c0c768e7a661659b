"""What a row is measured with, and what it comes to: figures, each with its goal."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from servers import OURS, Server, start_ours

Judge = Callable[[list[float]], float]


@dataclass
class Bench:
    """All that the rows share."""

    options: argparse.Namespace
    folder: Path
    binary: Path
    image_sha256: str

    def start_ours(self, stack: ExitStack, key: str, **how) -> list[Server]:
        """Ours, and other builds that are measured beside it."""
        servers = []
        for name, binary in self.of_ours().items():
            servers.append(start_ours(self.folder, binary, key, name=name, **how))
            stack.callback(servers[-1].stop)
        return servers

    def of_ours(self) -> dict[str, Path]:
        """Program of each of our own servers, by name."""
        own = {OURS: self.binary}
        for number, binary in enumerate(self.options.against, 1):
            own[f"{OURS} of --against {number}"] = binary
        return own


@dataclass
class Figure:
    """One figure of a row, of ours and of those beside it. The goal is the highest ratio to a
    peer, or the highest value of ours, that is good enough."""

    what: str
    unit: str
    samples: dict[str, list[float]] = field(default_factory=dict)  # by server
    ratios: dict[str, float | None] = field(default_factory=dict)  # goal by peer; None: informative
    bound: float | None = None  # of our own value
    at_least: bool = False  # the bound is the lowest, not the highest
    binding: bool = True  # a miss fails the whole bench
    judge: Judge = median
    digits: int = 1

    def add(self, server: str, sample: float) -> None:
        self.samples.setdefault(server, []).append(sample)

    def value(self, server: str) -> float:
        return self.judge(self.samples[server])

    def ratio(self, peer: str) -> float | None:
        theirs = self.value(peer)
        return self.value(OURS) / theirs if theirs > 0 else None

    def pairs(self, peer: str) -> list[float]:
        return [a / b for a, b in zip(self.samples[OURS], self.samples[peer]) if b > 0]

    def is_met(self, peer: str) -> bool:
        goal, ratio = self.ratios.get(peer), self.ratio(peer)
        return goal is None or (ratio is not None and ratio <= goal)

    def is_within_bound(self) -> bool:
        if self.bound is None:
            return True
        return self.value(OURS) >= self.bound if self.at_least else self.value(OURS) <= self.bound

    def met(self) -> bool:
        return all(map(self.is_met, self.ratios)) and self.is_within_bound()

    def lines(self) -> list[list[str]]:
        """Cells of the table: figure, unit, peer, ours, theirs, ratio, goal, whether it is met."""
        lines = []
        for peer in [p for p in self.samples if p != OURS]:
            ratio, pairs = self.ratio(peer), self.pairs(peer)
            shown = f"{ratio:.2f} ({min(pairs):.2f}..{max(pairs):.2f})" if ratio is not None and pairs else "-"
            lines.append([self.what, self.unit, peer, self.spread(OURS), self.spread(peer), shown, *self.verdict(peer)])
        return lines or [[self.what, self.unit, "-", self.spread(OURS), "", "", *self.verdict("")]]

    def verdict(self, peer: str) -> list[str]:
        """The goal, and whether it is met: beside this peer, or by ours alone."""
        goal = self.ratios.get(peer)
        if goal is not None:
            words, met = f"≤ {goal}", self.is_met(peer)
        elif self.bound is not None:
            words, met = f"ours {'≥' if self.at_least else '≤'} {self.bound}", self.is_within_bound()
        else:
            return ["-", "informative"]
        return [words, ("yes" if met else "no") + ("" if self.binding else " (informative)")]

    def spread(self, server: str) -> str:
        low, high = min(self.samples[server]), max(self.samples[server])
        return f"{self.show(self.value(server))} ({self.show(low)}..{self.show(high)})"

    def show(self, value: float) -> str:
        return f"{value:,.{self.digits}f}" if abs(value) < 1000 else f"{value:,.0f}"

    def as_json(self) -> dict:
        ratios = {peer: self.ratio(peer) for peer in self.samples if peer != OURS}
        return {
            "what": self.what,
            "unit": self.unit,
            "samples": self.samples,
            "value": {server: self.value(server) for server in self.samples},
            "ratio": {peer: ratio if ratio is None else round(ratio, 4) for peer, ratio in ratios.items()},
            "goal": {**({"ours": self.bound} if self.bound is not None else {}), **self.ratios},
            "met": self.met(),
            "binding": self.binding,
        }


@dataclass
class Outcome:
    """A row's figures, or why there are none."""

    letter: str
    name: str
    work: str
    figures: list[Figure] = field(default_factory=list)
    negotiated: str = ""
    notes: list[str] = field(default_factory=list)
    foreign: float = 0.0  # the highest share of the machine that others took
    failure: str = ""

    def met(self) -> bool:
        return not self.failure and all(figure.met() for figure in self.figures if figure.binding)

    def lines(self) -> list[list[str]]:
        work = self.work + (f" ({self.negotiated})" if self.negotiated else "")
        if self.failure:
            reason = " ".join(self.failure.split()).replace("|", "/")[:160]
            return [[self.letter, work, f"FAILED: {reason}", "", "", "", "", "", "", "no figure"]]
        return [[self.letter, work, *line] for figure in self.figures for line in figure.lines()]

    def as_json(self) -> dict:
        return {
            "row": self.letter,
            "name": self.name,
            "work": self.work,
            "negotiated": self.negotiated,
            "figures": [figure.as_json() for figure in self.figures],
            "notes": self.notes,
            "others": round(self.foreign, 4),
            "failure": self.failure,
        }
