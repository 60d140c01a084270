#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints every figure of the heap beside what is wanted and its floor.

    figures.py BUILD/bench/heap/heap-bench --node node22

Each round runs every part and every peer once, in another order, so that what
else the machine does hits all of them alike. A figure is the median of the
rounds, with the least and the greatest; a ratio is the median of the rounds'
ratios. The old generation of gigabytes is measured --old times (three
collections each). Status 1: something was not reached.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
Round = dict[str, float]


@dataclass(frozen=True)
class Part:
    """A command that prints `name value unit` lines; its figures get the
    prefix. Of a figure that comes more than once the median counts."""

    prefix: str
    command: tuple[str, ...]


def run(part: Part) -> Round:
    """The figures of one run; ends the program when it fails."""
    done = subprocess.run(part.command, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(part.command)}: status {done.returncode}\n"
                 f"{done.stderr}")
    found: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        name, value, *_ = line.split()
        found.setdefault(part.prefix + name, []).append(float(value))
    return {name: statistics.median(values) for name, values in found.items()}


def spread(values: Sequence[float]) -> str:
    """`median [least..greatest]`."""
    middle = statistics.median(values)
    if len(values) == 1:
        return f"{middle:.3g}"
    return f"{middle:.3g} [{min(values):.3g}..{max(values):.3g}]"


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    text: str
    unit: str
    values: Sequence[float]
    beside: str = ""
    limit: float | None = None
    exact: bool = False  # the limit itself is reached

    def verdict(self) -> str:
        if self.limit is None:
            return "shown"
        value = statistics.median(self.values)
        good = value <= self.limit if self.exact else value < self.limit
        return "reached" if good else "**not reached**"

    def line(self) -> str:
        wanted = ""
        if self.limit is not None:
            wanted = f"{'≤' if self.exact else '<'} {self.limit:g} {self.unit}"
        return (f"| {self.text} | {wanted} | {spread(self.values)} {self.unit}"
                f" | {self.beside} | {self.verdict()} |")


class Table:
    """Rows of what the rounds measured."""

    def __init__(self, rounds: Sequence[Round]) -> None:
        self._rounds = rounds
        self.rows: list[Row] = []

    def has(self, name: str) -> bool:
        return any(name in figures for figures in self._rounds)

    def values(self, name: str) -> list[float]:
        return [figures[name] for figures in self._rounds if name in figures]

    def plain(self, text: str, unit: str, name: str, beside: str = "",
              limit: float | None = None, exact: bool = False) -> None:
        shown = spread(self.values(beside)) if beside else ""
        self.rows.append(Row(text, unit, self.values(name), shown, limit,
                             exact))

    def ratio(self, text: str, name: str, to: str,
              limit: float | None = None) -> None:
        ratios = [figures[name] / figures[to] for figures in self._rounds
                  if name in figures and to in figures]
        beside = f"{spread(self.values(name))} to {spread(self.values(to))}"
        self.rows.append(Row(text, "times", ratios, beside, limit, True))

    def computed(self, text: str, unit: str,
                 value: Callable[[Round], float]) -> None:
        self.rows.append(Row(text, unit, [
            value(figures) for figures in self._rounds]))


def paths(table: Table) -> None:
    for size, semi, floor in (("16", "1", "floor"), ("48", "1", "1-MiB-floor"),
                              ("48", "16", "16-MiB-floor")):
        table.plain(f"allocate {size} bytes, {semi} MiB semi-spaces", "ns",
                    f"allocate/{size}-bytes/{semi}-MiB",
                    f"allocate/{size}-bytes/{floor}", 2)
    table.plain("barrier, young object", "ns", "store/young-object",
                "store/plain", 1.5)
    table.plain("barrier, old object gets old", "ns", "store/old-gets-old",
                "store/plain", 1.5)
    table.plain("barrier, slot is remembered", "ns", "store/old-gets-young")


def scavenges(table: Table) -> None:
    for size in ("0.4", "6", "15.6"):
        part = f"scavenge/{size}-MiB"
        table.ratio(f"scavenge, {size} MiB live, per copied object, to the "
                    "plain Cheney loop", f"{part}/copied",
                    f"{part}/plain-Cheney", 1.5)
        table.plain(f"the same, per promoted object, {size} MiB", "ns",
                    f"{part}/promoted")


def trees(table: Table, nodes: Sequence[str]) -> None:
    for semi, limit in ((16, 6.0), (8, None), (4, None), (1, None)):
        table.plain(f"worst scavenge of binary trees, {semi} MiB semi-spaces",
                    "ms", f"{semi}/trees/longest-minor", "", limit)
    for node in nodes:
        table.ratio(f"binary trees to {node}", "16/trees/total",
                    f"{node}/trees/total", 0.6 if "22" in node else None)
    if table.has("boehm/trees/total"):
        table.ratio("binary trees to Boehm", "16/trees/total",
                    "boehm/trees/total", 0.35)
    for semi in (16, 8, 4, 1):
        table.ratio(f"binary trees, {semi} MiB, to the bump pointer",
                    f"{semi}/trees/total", "floor/trees/total",
                    3 if semi == 16 else None)


def old(table: Table) -> None:
    table.plain("old generation, live", "MB", "old/live")
    table.plain("side tables", "%", "old/side-tables", "", 4)
    table.plain("major collection at once: the pause", "ms",
                "old/at-once/pause")
    table.plain("in steps of 1 ms: longest pause", "ms",
                "old/in-steps/longest-pause", "", 2)
    table.ratio("in steps: total to at once", "old/in-steps/total",
                "old/at-once/pause", 1.25)
    table.plain("in steps beside a mutator: longest pause", "ms",
                "old/beside-mutator/longest-pause", "", 2)
    for name in ("p50", "p99", "p99.9", "max"):
        table.plain(f"pauses beside that mutator: {name}", "ms",
                    f"old/beside-mutator/pause-{name}")
    for unit, clock in (("ms", "wall"), ("MB", "logical")):
        for window in (1, 10, 100):
            table.plain(f"mutator's least share of {window} {unit}, {clock} "
                        "clock", "%", f"old/beside-mutator/mmu-{window}-{unit}")


def snapshots(table: Table) -> None:
    for kind in ("first", "second", "half-new"):
        table.plain(f"snapshot, {kind}: memory beside the heap", "%",
                    f"snapshot/{kind}/memory", "", 5)
        table.plain(f"snapshot, {kind}: per object", "ns",
                    f"snapshot/{kind}/per-object")
    table.computed("ids kept after the first", "%",
                   lambda figures: figures["snapshot/first/kept-for-ids"])


def parts_of(options: argparse.Namespace) -> list[Part]:
    """What a round runs."""
    bench = str(options.bench)
    found = [Part("", (bench, "paths")), Part("", (bench, "scavenges")),
             Part("floor/", (bench, "trees-floor")),
             Part("", (bench, "snapshots", "16"))]
    found += [Part(f"{semi}/", (bench, "trees", str(semi)))
              for semi in (1, 4, 8, 16)]
    boehm = options.bench.with_name("boehm-trees")
    if boehm.exists():
        found.append(Part("boehm/", (str(boehm),)))
    found += [Part(f"{Path(node).name}/", (node, str(HERE / "trees.cjs")))
              for node in options.node]
    return found


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=Path, help="heap-bench")
    parser.add_argument("--node", action="append", default=[],
                        help="a runtime; whose name has 22 in it is held "
                        "against what is wanted")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--old", type=int, default=1)
    options = parser.parse_args()
    rounds: list[Round] = []
    for seed in range(options.rounds):
        order = parts_of(options)
        if seed < options.old:
            order.append(Part("", (str(options.bench), "old", "31")))
        random.Random(seed).shuffle(order)
        figures: Round = {}
        for part in order:
            figures.update(run(part))
        rounds.append(figures)
    table = Table(rounds)
    paths(table)
    scavenges(table)
    trees(table, [Path(node).name for node in options.node])
    if options.old > 0:
        old(table)
    snapshots(table)
    print(f"| figure, {options.rounds} rounds | wanted | measured "
          "| floor, peer | |\n|---|---|---|---|---|")
    for row in table.rows:
        print(row.line())
    return int(any("not" in row.verdict() for row in table.rows))


if __name__ == "__main__":
    sys.exit(main())
