# SPDX-License-Identifier: MIT
"""A compiled pattern as text that can be read aloud."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["pattern_text"]

_WIDTH = 72


def pattern_text(pattern: Mapping[str, Any]) -> str:
    """The pattern, an event or a phrase per line."""
    return "\n".join(_lines(pattern)) or "(no event)"


def _value(match: Mapping[str, Any]) -> str:
    if "is" in match:
        return json.dumps(match["is"], ensure_ascii=False)
    if "near" in match:
        return f"{match['near']} ± {match.get('within', 0)}"
    if "type" in match:
        return f"any {match['type']}"
    if "same_as" in match:
        return f"the value of the first {match['same_as']}"
    low, high = match.get("min"), match.get("max")
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"at least {low}"
    if high is not None:
        return f"at most {high}"
    return json.dumps(match, ensure_ascii=False)


def _times(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} times or more" if low else "any number of times"
    if low == high:
        return f"{low} times"
    return f"{low} to {high} times"


def _list(
    head: str, items: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A phrase and its blocks, each with a bullet."""
    lines = [head]
    for item in items:
        block = _lines(item) or ["(no event)"]
        lines += [f"  • {block[0]}", *(f"    {line}" for line in block[1:])]
    return lines


def _lines(pattern: Mapping[str, Any]) -> list[str]:
    if "seq" in pattern:
        return _sequence(pattern["seq"])
    if "ev" in pattern:
        label = str(pattern["ev"])
        if "value" in pattern:
            return [f"{label}: {_value(pattern['value'])}"]
        return [label]
    if "any" in pattern:
        return _list("in any order, each whole:", pattern["any"])
    if "interleave" in pattern:
        return _list("merged, each in its own order:", pattern["interleave"])
    if "one" in pattern:
        return _list("one of:", pattern["one"])
    if "atomic" in pattern:
        return _nested("with nothing between:", pattern["atomic"])
    if "opt" in pattern:
        return _nested("perhaps:", pattern["opt"])
    if "repeat" in pattern:
        times = _times(pattern.get("min", 0), pattern.get("max"))
        return _nested(f"{times}:", pattern["repeat"])
    return [json.dumps(pattern, ensure_ascii=False)]


def _nested(head: str, inner: Mapping[str, Any]) -> list[str]:
    lines = _lines(inner)
    if len(lines) == 1:
        return [f"{head} {lines[0]}"]
    return [head, *(f"  {line}" for line in lines)]


def _sequence(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Events in a row share a line while they fit."""
    lines: list[str] = []
    row: list[str] = []
    for item in items:
        block = _lines(item)
        if "ev" in item and len(block) == 1:
            if sum(len(e) + 3 for e in row) + len(block[0]) > _WIDTH:
                lines.append(" → ".join(row) + " →")
                row = []
            row.append(block[0])
            continue
        if row:
            lines.append(" → ".join(row))
            row = []
        lines += block
    if row:
        lines.append(" → ".join(row))
    return lines
