# SPDX-License-Identifier: MIT
"""The instruction lane: callgrind counts what the measured region executes.

Only bench_measured() is counted, so neither start-up nor the environment is
in the number; the allocator and the C library's choices by processor are
pinned. What looks at the clock still differs by some instructions from run to
run, so an increase has to be there between the worst count of the base and
the best one of here.

Invariant: a benchmark whose own counts lie further apart than what is called
an increase is named and decides nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Instructions", "callgrind", "count_instructions"]

LIMIT = 1  # per cent
_TIME = 120.0
_COLLECTED = re.compile(r"Collected\s*:\s*(\d+)")
Bar = Callable[[int, int | None], None]
# Counts a benchmark on a library; None where that cannot be done.
Counter = Callable[[Path, str], int | None]


@dataclass(frozen=True)
class Instructions:
    """One benchmark's counts, or why there are none."""

    name: str
    before: int | None
    after: int | None
    problem: str | None = None

    @property
    def change(self) -> float | None:
        if self.problem or not self.before or self.after is None:
            return None
        return self.after / self.before - 1

    @property
    def regressed(self) -> bool:
        if self.change is None or self.before is None or self.after is None:
            return False
        return 100 * self.after > (100 + LIMIT) * self.before


def missing() -> str | None:
    """Why nothing can be counted here; None where it can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    return None


def callgrind(bench: Path) -> Counter:
    """The counter that runs plumb-bench under callgrind."""

    def one(library: Path, name: str) -> int | None:
        words = [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            "--collect-atstart=no", "--toggle-collect=bench_measured",
            str(bench), "--provider", str(library), "--traced", name,
        ]
        env = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, errors="replace", env=env, timeout=_TIME)
        except subprocess.TimeoutExpired:
            return None
        found = _COLLECTED.search(done.stderr)
        if done.returncode or not found or found[1] == "0":
            return None
        return int(found[1])

    return one


def count_instructions(
    counter: Counter, base: Path, here: Path, names: Sequence[str], bar: Bar
) -> list[Instructions]:
    """Count both sides; what differs is counted twice."""
    found = []
    for number, name in enumerate(names):
        bar(number, len(names))
        found.append(_one(counter, base, here, name))
    bar(len(names), len(names))
    return found


def _one(counter: Counter, base: Path, here: Path, name: str
         ) -> Instructions:
    before, after = counter(base, name), counter(here, name)
    if before is None or after is None:
        side = "the base" if before is None else "what is here"
        return Instructions(name, before, after,
                            f"{side} cannot be counted")
    counted = Instructions(name, before, after)
    if abs(after - before) * 100 <= LIMIT * before:
        return counted
    early, late = counter(base, name), counter(here, name)
    if early is None or late is None:
        return Instructions(name, before, after, "cannot be counted twice")
    for one, other in ((before, early), (after, late)):
        if abs(one - other) * 100 > LIMIT * one:
            return Instructions(name, before, after,
                                "varies from run to run")
    return Instructions(name, max(before, early), min(after, late)
                        ) if after > before else counted
