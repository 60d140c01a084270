#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the parts of heap-bench and its peers in turns and prints a table.

Every round runs every contender once, in another order, so that what else the
machine does hits all of them alike. A figure is the median of the rounds; a
ratio is the median of the rounds' ratios.

    compare.py BUILD/bench/heap/heap-bench --node /usr/bin/node --rounds 7
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Contender:
    """A command that prints `name value unit` lines."""

    name: str
    command: tuple[str, ...]


def contenders(options: argparse.Namespace) -> list[Contender]:
    """Everybody who plants the trees."""
    bench = str(options.bench)
    found = [
        Contender(f"ref, {semi} MiB", (bench, "trees", str(semi)))
        for semi in (1, 4, 16)
    ]
    found.append(Contender("floor", (bench, "trees-floor")))
    boehm = options.bench.with_name("boehm-trees")
    if boehm.exists():
        found.append(Contender("boehm", (str(boehm),)))
    for node in options.node:
        found.append(Contender(Path(node).name, (node, str(HERE / "trees.cjs"))))
    return found


def run(contender: Contender) -> dict[str, float]:
    """The figures of one run; ends the program when it fails."""
    done = subprocess.run(
        contender.command, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{contender.name}: status {done.returncode}\n{done.stderr}")
    figures: dict[str, float] = {}
    for line in done.stdout.splitlines():
        name, value, *_ = line.split()
        figures[name] = float(value)
    return figures


def spread(values: list[float]) -> str:
    """`median [least..greatest]`."""
    middle = statistics.median(values)
    return f"{middle:.1f} [{min(values):.1f}..{max(values):.1f}]"


def ratio(rounds: list[dict[str, dict[str, float]]], one: str, other: str) -> float:
    """The median of the rounds' ratios of `trees/total`."""
    return statistics.median(
        figures[one]["trees/total"] / figures[other]["trees/total"]
        for figures in rounds
    )


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=Path, help="heap-bench")
    parser.add_argument("--node", action="append", default=[], help="a runtime")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    everybody = contenders(options)
    rounds: list[dict[str, dict[str, float]]] = []
    for seed in range(options.rounds):
        order = list(everybody)
        random.Random(seed).shuffle(order)
        rounds.append({contender.name: run(contender) for contender in order})
    best = "ref, 16 MiB"
    print(
        f"| trees, {options.rounds} rounds | ms of processor time "
        "| ref, 16 MiB / it | longest pause, ms |"
    )
    print("|---|---|---|---|")
    for contender in everybody:
        name = contender.name
        totals = [figures[name]["trees/total"] for figures in rounds]
        pauses = [
            max(
                figures[name].get("trees/longest-minor", 0.0),
                figures[name].get("trees/longest-major", 0.0),
                figures[name].get("trees/longest-pause", 0.0),
            )
            for figures in rounds
        ]
        pause = spread(pauses) if max(pauses) > 0 else "-"
        share = ratio(rounds, best, name)
        print(f"| {name} | {spread(totals)} | {share:.2f} | {pause} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
