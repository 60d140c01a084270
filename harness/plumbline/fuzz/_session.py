# SPDX-License-Identifier: MIT
"""One implementation under test: a long-lived adapter process.

Invariant: after anything but a right answer the next program gets a fresh
process, so a trace always belongs to the program that it is told for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from plumbline.errors import RunError
from plumbline.fuzz._lines import Gone, Lines
from plumbline.fuzz._raw import Program

__all__ = ["Identity", "Outcome", "Session", "Trace", "freeze"]

# An event is a label, or a label and its value.
Trace: TypeAlias = "tuple[str | tuple[str, object], ...]"

_START_SECONDS = 20.0
_SECONDS = 5.0


def freeze(events: Any) -> Trace:
    """A trace as a value; ValueError where it is none."""
    if not isinstance(events, list):
        raise ValueError("no list of events")
    result: list[str | tuple[str, object]] = []
    for event in events:
        if isinstance(event, str):
            result.append(event)
        elif (isinstance(event, list) and len(event) == 2
              and isinstance(event[0], str)
              and not isinstance(event[1], list | dict)):
            result.append((event[0], event[1]))
        else:
            raise ValueError(f"this is no event: {str(event)[:80]}")
    return tuple(result)


@dataclass(frozen=True)
class Identity:
    """What an adapter says about itself."""

    name: str
    version: str
    label: str
    capabilities: frozenset[str]
    traits: frozenset[str]


@dataclass(frozen=True)
class Outcome:
    """One run of a program. `kind` is trace, or what went wrong instead:
    crash, timeout, protocol, error, unsupported; `detail` tells more."""

    kind: str
    trace: Trace = ()
    detail: str = ""

    @property
    def text(self) -> str:
        """For people."""
        if self.kind != "trace":
            return f"{self.kind}: {self.detail}"
        return " ".join(
            event if isinstance(event, str)
            else f"{event[0]}={json.dumps(event[1])}" for event in self.trace
        ) or "(nothing)"


class Session:
    """Runs programs on one adapter; a context manager."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        seconds: float = _SECONDS,
        label: str = "",
    ) -> None:
        """`folder` is where programs' relative paths begin; `label` is what
        to call it instead of what it calls itself. Raises RunError."""
        self._lines = Lines(command, env)
        self._folder = folder
        self._seconds = seconds
        self._seq = 0
        try:
            self.identity = _identity(self._start(), label)
        except (Gone, KeyError, TypeError) as error:
            said = self._lines.said()
            self.close()
            raise RunError(
                f"the adapter does not start: {error}\n{said}".strip(),
                place=" ".join(command),
                remedy="try it with:  plumbline smoke",
            ) from error

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the adapter."""
        self._lines.close()

    def run(self, program: Program) -> Outcome:
        """Runs a program once."""
        try:
            if not self._lines.running:
                self._start()
            self._seq += 1
            answer = self._lines.ask(
                {"cmd": "run", "seq": self._seq, "program": {"main": program},
                 "files": {}, "dir": str(self._folder)},
                self._seconds,
            )
            return self._outcome(answer)
        except Gone as gone:
            return Outcome(gone.kind, detail=gone.detail)

    def _start(self) -> dict[str, Any]:
        self._lines.start()
        return self._lines.ask({"cmd": "start", "protocol": 1},
                               _START_SECONDS)

    def _outcome(self, answer: dict[str, Any]) -> Outcome:
        if answer.get("seq") != self._seq:
            raise self._lines.refuse(
                f"seq is {answer.get('seq')!r} and not {self._seq}")
        if "unsupported" in answer:
            return Outcome("unsupported", detail=str(answer["unsupported"]))
        if "error" in answer:
            error = answer["error"]
            message = error.get("message") if isinstance(error, dict) else None
            return Outcome("error", detail=str(message or error))
        try:
            return Outcome("trace", freeze(answer.get("events")))
        except ValueError as error:
            raise self._lines.refuse(str(error)) from error


def _identity(answer: Mapping[str, Any], label: str) -> Identity:
    said = answer["implementation"]
    name, version = str(said["name"]), str(said["version"])
    return Identity(
        name, version, label or f"{name}-{version}",
        frozenset(answer["capabilities"]), frozenset(answer["traits"]),
    )
