# SPDX-License-Identifier: MIT
"""Holds the reference's channels and clusters against floors and peers.

Usage: compare.py [--rounds N] [--scale F] [--bare] [BENCH] [NAME=COMMAND...]

Without BENCH it is the one in build/, and peers are those that `plumbline
runtimes add` has put into .runtimes/; --bare: no peers but those that are named.
Every contender of a figure runs once in each round, one after the other, so
what else the machine does hits all of them. A ratio is the median of the
rounds' ratios, with the least and the greatest. NAME is node22 or bun.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

JS = Path(__file__).resolve().parent / "js" / "ipc.cjs"
ROOT = Path(__file__).resolve().parents[2]
CLIENTS, LOAD_MS = 4, 700
ONE_CORE = ", one core"
COUNTS = {
    "fd-oneway": 100_000,
    "fd-oneway-64": 100_000,
    "fd-acked": 30_000,
    "fd-batched": 640_000,
    "json-oneway": 800_000,
    "json-pingpong": 40_000,
}
JS_COUNTS = {"fd-acked": 2_000, "json-oneway": 60_000, "json-pingpong": 15_000}


@dataclass(frozen=True)
class Figure:
    """One line of the table; `against` empty: a rate of our own; no target: it
    is shown. `pinned`: both processes on one core, where none is waited for."""

    title: str
    workload: str
    against: str
    target: float | None
    pinned: bool = False

    @property
    def place(self) -> str:
        """The workload, and where it runs."""
        return self.workload + (ONE_CORE if self.pinned else "")


FIGURES = [
    Figure("handles, one each, pipelined", "fd-oneway", "raw", 0.9),
    Figure("handles, one each, pipelined", "fd-oneway", "libuv", 1.3),
    Figure("the same", "fd-oneway", "polled", None),
    Figure("the same, 64 unanswered", "fd-oneway-64", "raw", None),
    Figure("the same", "fd-oneway", "raw", None, pinned=True),
    Figure("the same", "fd-oneway", "libuv", None, pinned=True),
    Figure("handles, each acknowledged", "fd-acked", "raw", 0.9),
    Figure("handles, each acknowledged", "fd-acked", "node22", 15),
    Figure("the same", "fd-acked", "polled", None),
    Figure("the same", "fd-acked", "raw", None, pinned=True),
    Figure("the same", "fd-acked", "polled", None, pinned=True),
    Figure("the same", "fd-acked", "node22", None, pinned=True),
    Figure("handles, 64 a message, a second", "fd-batched", "", 2_000_000),
    Figure("JSON one way", "json-oneway", "bun", 2),
    Figure("JSON one way", "json-oneway", "node22", 10),
    Figure("JSON ping-pong", "json-pingpong", "raw", 0.85),
    Figure("accept, round robin, 2 workers, 1 on its way", "accept-rr-1",
           "node22", 3),
    Figure("accept, round robin, 2 workers, 4 on their way", "accept-rr-4",
           "node22", 3),
    Figure("accept, shared, 2 workers", "accept-shared", "single", 0.9),
]


class Bench:
    """Runs contenders."""

    def __init__(self, program: str, peers: dict[str, str], scale: float):
        self.program = program
        self.peers = peers
        self.scale = scale

    def has(self, who: str) -> bool:
        """Whether a contender is here."""
        return who not in ("node22", "bun") or who in self.peers

    def accept(self, workload: str, who: str) -> float:
        """Connections a second of a server."""
        how, depth = (workload.split("-")[1:] + ["4"])[:2]
        if who in self.peers:  # which have 1 on its way, whatever is asked
            command = [self.peers[who], str(JS), "serve", how, "2"]
        elif who == "single":
            command = [self.program, "serve", "single"]
        else:
            command = [self.program, "serve", how, "2", depth]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdin and server.stdout
            try:
                port = server.stdout.readline().split()[1]
                done = subprocess.run(
                    [self.program, "load", port, str(CLIENTS), str(LOAD_MS)],
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=60,
                )
            finally:
                server.stdin.close()
                if who == "single":
                    server.kill()
        return float(done.stdout)

    def rate(self, place: str, who: str) -> tuple[float, float]:
        """Operations a second, and CPU nanoseconds of one (0: unknown)."""
        workload = place.removesuffix(ONE_CORE)
        cores = os.sched_getaffinity(0)
        if workload != place:
            os.sched_setaffinity(0, {min(cores)})
        try:
            return self.rate_here(workload, who)
        finally:
            os.sched_setaffinity(0, cores)

    def rate_here(self, workload: str, who: str) -> tuple[float, float]:
        """The same, on the cores that this process has."""
        if workload.startswith("accept"):
            return self.accept(workload, who), 0.0
        if who in self.peers:
            count = max(500, int(JS_COUNTS[workload] * self.scale))
            command = [self.peers[who], str(JS), workload, str(count)]
        else:
            count = max(640, int(COUNTS[workload] * self.scale) // 64 * 64)
            command = [self.program, workload, who, str(count)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=120
        )
        words = done.stdout.split()
        return float(words[0]), float(words[1]) if len(words) > 1 else 0.0


def spread(values: list[float], form: str) -> str:
    """The median, and the least and the greatest."""
    shown = [statistics.median(values), min(values), max(values)]
    median, least, most = (format(value, form) for value in shown)
    return f"{median} [{least}..{most}]"


def measure(bench: Bench, rounds: int) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """All contenders of all figures, in rounds."""
    wanted: dict[tuple[str, str], None] = {}
    for figure in FIGURES:
        for who in ("ref", figure.against or "raw"):
            if bench.has(who):
                wanted[(figure.place, who)] = None
    found: dict[tuple[str, str], list[tuple[float, float]]] = {
        pair: [] for pair in wanted
    }
    for number in range(rounds):
        for workload, who in wanted:
            found[(workload, who)].append(bench.rate(workload, who))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def show(found: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    """The table of the figures, and the rates behind it."""
    print("| figure | to | target | measured | reached |")
    print("|---|---|---|---|---|")
    for figure in FIGURES:
        ours = [rate for rate, _ in found[(figure.place, "ref")]]
        if not figure.against:
            got, text = statistics.median(ours), spread(ours, ",.0f")
        elif (figure.place, figure.against) in found:
            theirs = [r for r, _ in found[(figure.place, figure.against)]]
            ratios = [a / b for a, b in zip(ours, theirs)]
            got, text = statistics.median(ratios), spread(ratios, ".2f")
        else:
            continue
        target, reached = "", "shown"
        if figure.target is not None:
            target = f"{figure.target:,g}"
            reached = "yes" if got >= figure.target else "no"
        where = ONE_CORE if figure.pinned else ""
        print(
            f"| {figure.title}{where} | {figure.against or 'itself'} |"
            f" {target} | {text} | {reached} |"
        )
    print("\n| workload | who | a second | CPU of one, both sides, ns |")
    print("|---|---|---|---|")
    for (workload, who), pairs in found.items():
        cpu = [spent for _, spent in pairs]
        shown = spread(cpu, ".0f") if any(cpu) else ""
        print(
            f"| {workload} | {who} |"
            f" {spread([rate for rate, _ in pairs], ',.0f')} | {shown} |"
        )


def found_peers() -> dict[str, str]:
    """The newest of each that was added."""
    found: dict[str, str] = {}
    for name, pattern in (("node22", "node-22*"), ("bun", "bun-*")):
        for folder in sorted((ROOT / ".runtimes").glob(pattern)):
            for command in sorted(folder.rglob(name.rstrip("2"))):
                if command.is_file() and command.stat().st_mode & 0o100:
                    found[name] = str(command)
    return found


def main() -> int:
    """Measures and shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("bench", nargs="?",
                        default=str(ROOT / "build/bench/ipc/ipc-bench"))
    parser.add_argument("peers", nargs="*", metavar="NAME=COMMAND")
    options = parser.parse_args()
    peers = {} if options.bare else found_peers()
    peers.update(peer.split("=", 1) for peer in options.peers)
    show(measure(Bench(options.bench, peers, options.scale), options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
