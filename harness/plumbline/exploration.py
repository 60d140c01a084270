# SPDX-License-Identifier: MIT
"""Asks `plumb-explore` what a program may do, and shows the answer.

The exploring is done by the reference over its virtual loop
(conformance/host/explore.h says how); nothing is decided here.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import RunError
from plumbline.places import Places

__all__ = ["Exploration", "Limits", "explore_case", "explore_program",
           "tree_lines", "verdict_on_case"]

_LIMITED = 3
_TREE_LINES = 40


@dataclass(frozen=True)
class Limits:
    """How far an exploration goes; None: plumb-explore's own default."""

    runs: int | None = None
    slack_ms: int | None = None
    late_ms: int | None = None
    any_order: bool = False

    @property
    def words(self) -> list[str]:
        result: list[str] = ["--any-order"] if self.any_order else []
        for option, value in (("--max-runs", self.runs),
                              ("--slack", self.slack_ms),
                              ("--late", self.late_ms)):
            if value is not None:
                result += [option, str(value)]
        return result


@dataclass(frozen=True)
class Exploration:
    """Every trace of a program, and the decisions that lead to them."""

    raw: Mapping[str, Any]

    @property
    def traces(self) -> Sequence[Sequence[Any]]:
        traces: Sequence[Sequence[Any]] = self.raw["traces"]
        return traces

    @property
    def limit(self) -> str | None:
        """Which limit was reached, where the traces are not all."""
        text = self.raw.get("limit")
        return str(text) if text else None

    @property
    def runs(self) -> int:
        return int(self.raw["runs"])

    @property
    def states(self) -> int:
        return int(self.raw["states"])

    @property
    def per_second(self) -> float:
        return self.runs / max(float(self.raw["seconds"]), 1e-6)


def _words(places: Places) -> list[str]:
    return [str(places.built("conformance/host/plumb-explore")),
            str(places.built("ref/libplumb-ref.so"))]


def _ask(words: Sequence[str], question: str) -> Exploration:
    try:
        done = subprocess.run(words, input=question, capture_output=True,
                              text=True, check=False)
    except OSError as error:
        raise RunError(f"the explorer cannot be started: {error.strerror}",
                       place=words[0]) from error
    if done.returncode not in (0, _LIMITED):
        told = done.stderr.strip().removeprefix("plumb-explore: ")
        raise RunError(told or "the explorer ended with status "
                       f"{done.returncode}")
    try:
        return Exploration(json.loads(done.stdout))
    except ValueError as error:
        raise RunError(f"the explorer's answer is not JSON: {error}") from error


def explore_case(places: Places, case: str, limits: Limits) -> Exploration:
    """Explores a case of the compiled corpus, by its full id."""
    return _ask([*_words(places), "--corpus", str(places.corpus), "--case",
                 case, "--json", *limits.words], "")


def explore_program(
    places: Places, program: Mapping[str, Any], files: Mapping[str, str],
    limits: Limits
) -> Exploration:
    """Explores a program, in a directory with these files."""
    with tempfile.TemporaryDirectory(prefix="plumbline-explore-") as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return _ask([*_words(places), "--json", "--dir", folder,
                     *limits.words], json.dumps({"program": program}))


def verdict_on_case(places: Places, case: str, limits: Limits) -> str | None:
    """What is wrong with a case's pattern, or None: it allows exactly what
    was found."""
    words = [*_words(places), "--corpus", str(places.corpus), "--check",
             "--all", "--select", case, *limits.words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    told = done.stdout.strip().splitlines()[:-1]
    return "\n".join(told) or done.stderr.strip()


# -- the tree ----------------------------------------------------------------


class _Tree:
    """Writes the decisions; one that several lead to is written once."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.decisions: Sequence[Mapping[str, Any]] = tree["decisions"]
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.shared = self._shared(tree["root"])

    def _shared(self, root: Any) -> set[int]:
        """The decisions that more than one answer leads to."""
        seen: set[int] = set()
        twice: set[int] = set()
        left = [root]
        while left:
            target = left.pop()
            number = (target or {}).get("decision")
            if number is None:
                continue
            if number in seen:
                twice.add(number)
                continue
            seen.add(number)
            left += [o["to"] for o in self.decisions[number]["options"]]
        return twice

    def write(self, target: Any, head: str, indent: str) -> None:
        number = (target or {}).get("decision")
        if number is None:
            trace = (target or {}).get("trace")
            end = "?" if trace is None else str(trace + 1)
            self.lines.append(f"{head}{end}")
            return
        what = self.decisions[number]["what"]
        if number in self.names:
            self.lines.append(f"{head}{what}, as at {self.names[number]}")
            return
        mark = ""
        if number in self.shared:
            letter = len(self.names)
            self.names[number] = f"[{chr(97 + letter % 26)}" + (
                f"{letter // 26}]" if letter >= 26 else "]")
            mark = f"  {self.names[number]}"
        self.lines.append(f"{head}{what}{mark}")
        options = self.decisions[number]["options"]
        for index, option in enumerate(options):
            last = index == len(options) - 1
            answers = " or ".join(option["answers"])
            self.write(option["to"],
                       f"{indent}{'└' if last else '├'} {answers} → ",
                       f"{indent}{' ' if last else '│'} ")


def tree_lines(exploration: Exploration) -> list[str]:
    """The tree of decisions as text; numbers are those of the traces."""
    tree = exploration.raw["tree"]
    writer = _Tree(tree)
    writer.write(tree["root"], "", "")
    if len(writer.lines) <= _TREE_LINES:
        return writer.lines
    hidden = len(writer.lines) - _TREE_LINES
    return [*writer.lines[:_TREE_LINES],
            f"… and {hidden} more lines; --json has all"]
