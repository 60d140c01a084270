# SPDX-License-Identifier: MIT
"""What a stage of `plumbline test` is, and what one gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.places import Places

__all__ = ["Bench", "Count", "Failed", "Stage"]


@dataclass(frozen=True)
class Count:
    """How many of a stage's tests ended how; `failures` names the failed, and
    `said` is what these told, line by line."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: Sequence[str] = ()
    note: str = ""
    said: Sequence[str] = ()

    def __add__(self, other: Count) -> Count:
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            (*self.failures, *other.failures),
            "; ".join(filter(None, (self.note, other.note))),
            (*self.said, *other.said),
        )


class Failed(Exception):
    """A stage that could not count its tests: it is one failure."""


@dataclass(frozen=True)
class Bench:
    """What a stage works with: the checkout, and a log of its own."""

    places: Places
    log: Path
    # Runs a command with its output in the log; gives its exit status.
    run: Callable[..., int]


@dataclass(frozen=True)
class Stage:
    """One stage: its name, what it does in a few words, and the work."""

    name: str
    doc: str
    work: Callable[[Bench], Count]
    full: bool = False
