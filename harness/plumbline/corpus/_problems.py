# SPDX-License-Identifier: MIT
"""What is wrong with the corpus: collected, told all at once.

A reader never stops at the first mistake and never raises: it adds a Problem
here and goes on with something harmless in its place. Invariant: one mistake
is one line. A problem is dropped when the same line already has the same
problem (a repeated operation written out a hundred times makes a hundred of
them) or when what YAML made of the line is itself in question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher, get_close_matches
from typing import Literal

__all__ = ["Kind", "Problem", "Problems", "did_you_mean", "names", "shown"]

# What is `unfinished` (a rule that has no case yet) is an error, but one that
# leaves nothing out of the corpus; a warning is no error.
Kind = Literal["error", "unfinished", "warning"]

# A second guess is told when it is nearly as good as the first.
_AS_CLOSE = 0.05

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: `file:line: what is wrong; how to mend it`."""

    file: str
    line: int
    text: str
    kind: Kind = "error"

    def __str__(self) -> str:
        kind = "warning: " if self.kind == "warning" else ""
        return f"{self.file}:{self.line}: {kind}{self.text}"


@dataclass
class Problems:
    """Every mistake found so far, in every file."""

    found: list[Problem] = field(default_factory=list)
    _seen: set[tuple[str, int, str]] = field(default_factory=set)
    _doubtful: set[tuple[str, int]] = field(default_factory=set)

    def add(
        self,
        file: str,
        line: int,
        wrong: str,
        mend: str = "",
        *,
        kind: Kind = "error",
        doubtful: bool = False,
    ) -> None:
        """Note a mistake. A `doubtful` one makes the line's meaning unsure:
        no further problem of that line is taken."""
        text = f"{wrong}; {mend}" if mend else wrong
        key = (file, line, _DIGITS.sub("#", text))
        if key in self._seen:
            return
        if not doubtful and (file, line) in self._doubtful:
            return
        self._seen.add(key)
        if doubtful:
            self._doubtful.add((file, line))
        self.found.append(Problem(file, line, text, kind))

    def of(self, *kinds: Kind) -> list[Problem]:
        """The problems of these kinds, in the order of files and lines."""
        return sorted(p for p in self.found if p.kind in kinds)

    def error_count(self) -> int:
        """How many errors there are; cheap, to compare before and after."""
        return sum(1 for p in self.found if p.kind == "error")


def shown(value: object) -> str:
    """A value as a message shows it: as it would stand in the file."""
    if value is None:
        return "nothing (null)"
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, str):
        return f"`{_cut(value)}`"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return _cut(str(value))


def _cut(text: str) -> str:
    text = text.replace("\n", "\\n")
    return text if len(text) <= 40 else text[:37] + "..."


def names(known: Iterable[str]) -> str:
    """`a`, `b` or `c`."""
    quoted = [f"`{name}`" for name in known]
    if len(quoted) < 2:
        return "".join(quoted)
    return ", ".join(quoted[:-1]) + " or " + quoted[-1]


def did_you_mean(
    name: str, known: Iterable[str], *, where: str = "", most: int = 8
) -> str:
    """How to mend an unknown name: the near ones, else the list when it is
    short, else where the list stands."""
    choices = list(known)
    near = get_close_matches(name, choices, n=2, cutoff=0.6)
    if near:
        best, *rest = (SequenceMatcher(None, name, n).ratio() for n in near)
        close = [n for n, r in zip(near[1:], rest) if best - r < _AS_CLOSE]
        return f"did you mean {names([near[0], *close])}?"
    if choices and len(choices) <= most:
        return f"known: {names(choices)}"
    return where
