# SPDX-License-Identifier: MIT
"""What a program may do: every trace that the model finds for it.

The model is the reference on its virtual loop, walked through by
`plumb-explore --serve`. It takes for granted that little time passes unasked
(`slack`) and that jobs are not very late. A trace that was seen where neither
held, on a busy machine, is asked for by itself: runs that stray from it are
given up, so a machine can be taken to be slower than all traces can be found
for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from plumbline.errors import RunError
from plumbline.fuzz._lines import Gone, Lines
from plumbline.fuzz._raw import Program
from plumbline.fuzz._session import Trace, freeze

__all__ = ["Allowed", "Oracle", "Undecided"]

_SECONDS = 20.0
_ENDLESS = "never-ends"

# How slow the machine is taken to be: as a rule, and for a single trace.
_USUAL = {"limit": 5000, "slack": 2, "late": 10}
_SLOWER = (
    {"limit": 50000, "slack": 6, "late": 50},
    {"limit": 200000, "slack": 8, "late": 100},
    {"limit": 200000, "slack": 12, "late": 200},
    {"limit": 200000, "slack": 25, "late": 200},
)


class Undecided(Exception):
    """The model does not say what is allowed; `kind` says why: limit, stuck
    or failed."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True)
class Allowed:
    """The traces of a program, and how many states there are."""

    traces: frozenset[Trace]
    states: int


class Oracle:
    """Explores programs; a context manager."""

    def __init__(self, explore: Path, provider: Path, folder: Path) -> None:
        """`folder` is where programs' relative paths begin."""
        self._lines = Lines([str(explore), str(provider), "--serve"], {})
        self._folder = folder

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()

    def ask(self, program: Program) -> Allowed:
        """All traces of a program; Undecided where they are not known."""
        return self._explore(program, _USUAL)

    def reaches(self, program: Program, trace: Trace) -> bool:
        """Whether a slow, or a slower, machine is known to show the trace."""
        for limits in _SLOWER:
            try:
                found = self._explore(program, {**limits, "like": trace})
            except Undecided:
                continue
            if trace in found.traces:
                return True
        return False

    def _explore(
        self, program: Program, limits: Mapping[str, object]
    ) -> Allowed:
        if not self._lines.running:
            self._lines.start()
        question: dict[str, object] = {
            "program": {"main": program}, "dir": str(self._folder)}
        question.update(limits)
        try:
            answer = self._lines.ask(question, _SECONDS)
        except Gone as gone:
            if gone.kind == "timeout":
                raise Undecided("limit", gone.detail) from gone
            raise RunError(f"the explorer failed: {gone.detail}",
                           place=self._lines.command[0]) from gone
        return _allowed(answer)


def _allowed(answer: Mapping[str, Any]) -> Allowed:
    for key in ("error", "unsupported"):
        if key in answer:
            raise Undecided("failed", str(answer[key]))
    try:
        if not answer["complete"]:
            raise Undecided("limit", str(answer.get("limit")))
        traces = frozenset(freeze(trace) for trace in answer["traces"])
        states = int(answer["states"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"the explorer's answer cannot be read: {error}") from error
    if any(trace and trace[-1] == _ENDLESS for trace in traces):
        raise Undecided("stuck", "the program may not end")
    return Allowed(traces, states)
