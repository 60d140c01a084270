# SPDX-License-Identifier: MIT
"""Writes a finding as a case file that the corpus takes as it is.

The expectation is what the model allows; who did what else stands in the
comment. The rule is a guess from the events at which the traces part, for a
person to confirm.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import]

from plumbline.fuzz._check import Evidence, Finding
from plumbline.fuzz._pattern import pattern_of
from plumbline.fuzz._raw import Program
from plumbline.fuzz._session import Trace

__all__ = ["case_text", "finding_id", "write_case"]

_WIDTH = 78
_RUNS = 20
_MOST_SHOWN = 8

# By the kind of event that comes where another one should.
_RULES = {
    "timeout": "LOOP-TIMEOUT-4",
    "interval": "LOOP-TIMEOUT-9",
    "immediate": "LOOP-CHECK-1",
    "chain": "LOOP-TICK-1",
    "tick": "LOOP-TICK-1",
    "microtask": "LOOP-MICRO-1",
    "stat": "LOOP-FS-1",
    "timer": "LOOP-TIMER-1",
    "again": "LOOP-TIMER-9",
    "start": "LOOP-TIMER-17",
    "idle": "LOOP-PHASE-2",
    "prepare": "LOOP-PHASE-2",
    "check": "LOOP-PHASE-2",
    "turn": "LOOP-PHASE-1",
    "async": "LOOP-ASYNC-5",
    "poll": "LOOP-IO-1",
    "work": "LOOP-POOL-2",
    "cancel": "LOOP-POOL-3",
    "close": "LOOP-CLOSE-7",
    "closed": "LOOP-CLOSE-4",
    "closing": "LOOP-CLOSE-7",
    "active": "LOOP-ALIVE-1",
    "hasref": "LOOP-ALIVE-2",
    "alive": "LOOP-ALIVE-1",
    "run": "LOOP-RUN-1",
    "last": "LOOP-RUN-1",
}
_OTHERWISE = "LOOP-PHASE-1"


def finding_id(finding: Finding) -> str:
    """A name that depends on the program alone."""
    text = json.dumps(finding.program, sort_keys=True)
    return "found-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def _label(event: Any) -> str:
    return event if isinstance(event, str) else str(event[0])


def _guess(finding: Finding) -> str:
    """The rule that may be broken: of the first event out of place."""
    for one in finding.evidence:
        for outcome, _ in one.outcomes:
            if one.wrong and outcome.kind == "trace" and (
                outcome.trace not in finding.allowed.traces
            ):
                return _RULES.get(
                    _parting(outcome.trace, finding.allowed.traces
                             ).partition("-")[0], _OTHERWISE)
    return _OTHERWISE


def _parting(trace: Trace, allowed: frozenset[Trace]) -> str:
    """The label of the event behind the longest allowed beginning."""
    best = 0
    for other in allowed:
        same = 0
        while same < min(len(trace), len(other)) and (
            trace[same] == other[same]
        ):
            same += 1
        best = max(best, same)
    if best < len(trace):
        return _label(trace[best])
    return _label(next((other[best] for other in allowed
                        if len(other) > best), ""))


# -- labels that must not appear ---------------------------------------------


def _renamed(node: Any, seen: frozenset[str]) -> Any:
    """The program, with `never-` before labels that no allowed trace has."""
    if isinstance(node, list):
        return [_renamed(one, seen) for one in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key == "log" and isinstance(value, str):
            value = value if value in seen else f"never-{value}"
        elif key == "log":
            label = value[0] if value[0] in seen else f"never-{value[0]}"
            value = [label, value[1]]
        else:
            value = _renamed(value, seen)
        result[key] = value
    return result


# -- text ----------------------------------------------------------------------


def _flow(value: Any, indent: int) -> str:
    """One value in flow style, its further lines indented."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=_WIDTH - indent,
        sort_keys=False, allow_unicode=True,
    ).removesuffix("...\n").strip()
    return text.replace("\n", "\n" + " " * (indent + 2))


def _comment(text: str) -> list[str]:
    """Lines of a comment; long ones are kept whole, to be searched for."""
    return [f"# {line}".rstrip() for line in text.splitlines()]


def _seen(one: Evidence, allowed: frozenset[Trace]) -> list[str]:
    lines = []
    for outcome, count in one.outcomes[:_MOST_SHOWN]:
        good = outcome.kind == "trace" and outcome.trace in allowed
        mark = "allowed" if good else "NOT ALLOWED"
        lines.append(f"  {count} x {mark}: {outcome.text}")
    return [f"{one.label}:", *lines]


def case_text(finding: Finding, replay: str) -> str:
    """The case file; `replay` is the command that finds it again."""
    allowed = finding.allowed.traces
    labels = frozenset(
        _label(event) for trace in allowed for event in trace)
    program: Program = _renamed(finding.program, labels)
    pattern = pattern_of(allowed)
    head = [
        "SPDX-License-Identifier: MIT",
        "Found by random programs. The expectation is what the model allows "
        f"({len(allowed)} traces); seen were:",
        *(line for one in finding.evidence for line in _seen(one, allowed)),
        f"Again: {replay}",
        "The rule is a guess: cite the one that decides.",
    ]
    lines = _comment("\n".join(head))
    lines += [f"rule: {_guess(finding)}", "cases:",
              f"  - id: {finding_id(finding)}"]
    if len(allowed) > 1:
        lines.append(f"    runs: {_RUNS}")
    lines.append("    program:")
    lines += [f"      - {_flow(op, 8)}" for op in program]
    lines.append("    expect:")
    lines += [f"      - {_flow(part, 8)}" for part in pattern]
    return "\n".join(lines) + "\n"


def write_case(finding: Finding, folder: Path, replay: str) -> Path:
    """Writes the file; gives its path."""
    path = folder / f"{finding_id(finding)}.yaml"
    path.write_text(case_text(finding, replay), encoding="utf-8")
    return path

