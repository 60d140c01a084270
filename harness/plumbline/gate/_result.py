# SPDX-License-Identifier: MIT
"""A gate run as a file: everything that its verdict rests on.

Invariant: the file is written whatever becomes of the run; `complete` says
whether it came to its end, and only then is there a status of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from plumbline.errors import MeasurementError, UsageError
from plumbline.gate._exact import Exact
from plumbline.gate._instructions import Instructions
from plumbline.gate._latency import Latency
from plumbline.gate._time import TimeLane
from plumbline.measure._document import write_whole
from plumbline.stats import Histogram
from plumbline.verdicts import INVALID, REGRESSION, status_of

__all__ = ["NEW", "Gate", "gate_status", "skips", "read_gate", "write_gate"]

NEW = "what is new"  # a key of `skipped` that is no lane


def skips(skipped: Mapping[str, str]) -> list[str]:
    """What was left out, and why."""
    return [f"{lane} is not measured: {why}" if lane == NEW
            else f"{lane} lane skipped: {why}"
            for lane, why in skipped.items()]


@dataclass
class Gate:
    """The lanes of one run; a lane that did not run is None, and `skipped`
    says why."""

    revision: str
    base: str
    head: str
    dirty: bool
    command: str
    machine: Mapping[str, str]
    exact: Exact | None = None
    instructions: Sequence[Instructions] | None = None
    time: TimeLane | None = None
    latency: Sequence[Latency] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    noise: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = False

    @property
    def faults(self) -> list[str]:
        """Why there is no measurement; none where there is one."""
        found = list(self.problems)
        if self.exact is not None:
            found += [f"{name}: {how}"
                      for name, how in self.exact.problems.items()]
        if self.time is not None:
            if self.time.proof is not None:
                found += self.time.proof.faults
            found += [f"{t.name}: {t.problem}" for t in self.time.timed
                      if t.problem]
        return list(dict.fromkeys(found))


def gate_status(gate: Gate, strict: bool) -> int:
    """0, 3, 4 or 5. A counter that grew is a regression even where the time
    lane proved nothing: it needs no proof."""
    exact = bool(gate.exact and gate.exact.increased)
    if gate.faults:
        return REGRESSION if exact else INVALID
    verdicts = [t.verdict for t in (gate.time.timed if gate.time else [])
                if t.verdict]
    slower = any(one.regressed for one in gate.instructions or ())
    if exact or slower:
        return REGRESSION
    return status_of(verdicts, strict)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def gate_value(gate: Gate, status: int) -> dict[str, Any]:
    """The file's content."""
    time = gate.time
    return {
        "format": 1,
        "kind": "gate",
        "revision": gate.revision,
        "base": gate.base,
        "head": gate.head,
        "dirty": gate.dirty,
        "command": gate.command,
        "machine": dict(gate.machine),
        "noise": dict(gate.noise),
        "seconds": round(gate.seconds, 1),
        "complete": gate.complete,
        "status": status,
        "faults": gate.faults,
        "skipped": gate.skipped,
        "proof": asdict(time.proof) if time and time.proof else None,
        "blocks": time.blocks if time else 0,
        "time": [
            {**asdict(t), "detectable": t.change.detectable if t.change
             else None}
            for t in (time.timed if time else ())
        ],
        "exact": None if gate.exact is None else asdict(gate.exact),
        "instructions": None if gate.instructions is None else [
            {**asdict(one), "change": one.change,
             "regressed": one.regressed} for one in gate.instructions],
        "latency": [
            {"name": one.name, "clock": one.clock,
             "before": one.before.to_json(), "after": one.after.to_json(),
             "utilization": list(one.utilization)} for one in gate.latency],
    }


def write_gate(folder: Path, gate: Gate, status: int) -> Path:
    """Write it under the two revisions' names."""
    name = f"{gate.base[:12]}-{gate.head[:12]}"
    path = folder / f"{name}{'-changed' if gate.dirty else ''}.json"
    text = json.dumps(_finite(gate_value(gate, status)), indent=1)
    write_whole(path, text + "\n")
    return path


def read_gate(path: Path) -> dict[str, Any]:
    """A gate's file, for the report; refused where it is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}",
                         place=str(path)) from error
    except ValueError as error:
        raise MeasurementError(f"this is no whole JSON: {error}",
                               place=str(path)) from error
    if not isinstance(value, dict) or value.get("kind") != "gate":
        raise MeasurementError("this is no file of a gate", place=str(path))
    for one in value["latency"]:
        one["before"] = Histogram.from_json(one["before"])
        one["after"] = Histogram.from_json(one["after"])
    return value
