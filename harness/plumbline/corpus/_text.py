# SPDX-License-Identifier: MIT
"""Compiled programs and patterns as text for people.

A pattern becomes a phrase on one line where it fits, else an indented
outline; a program becomes the notation of the case files, so that it can be
copied back into one. Works on what json.loads() gives of corpus.jsonl.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.corpus._program import PRIMARY

__all__ = ["pattern_to_text", "program_to_text"]

_THEN = " → "
_WORDS = {"any": "any order of", "interleave": "interleaved",
          "one": "one of"}
_ARTICLE = {"string": "a string", "number": "a number",
            "boolean": "true or false", "null": "null"}


# -- patterns ----------------------------------------------------------------


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _match(match: Mapping[str, Any]) -> str:
    """A value matcher, as it follows the label."""
    if "is" in match:
        return f" = {_literal(match['is'])}"
    if "near" in match:
        return f" ≈ {match['near']} ± {match['within']}"
    if "type" in match:
        return f" is {_ARTICLE.get(match['type'], match['type'])}"
    if "same_as" in match:
        return f" = the value of {match['same_as']}"
    low, high = match.get("min"), match.get("max")
    if low is not None and high is not None:
        return f" in {low}…{high}"
    return f" ≥ {low}" if low is not None else f" ≤ {high}"


def _times(pattern: Mapping[str, Any]) -> str:
    low, high = pattern.get("min", 0), pattern.get("max")
    if high is None:
        return f"at least {low} times" if low else "any number of"
    return f"{low} times" if low == high else f"{low} to {high} times"


def _head(pattern: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """An operator's words and its blocks."""
    kind = next(iter(pattern))
    if kind in _WORDS:
        return _WORDS[kind], list(pattern[kind])
    words = {"atomic": "nothing between", "opt": "perhaps"}
    return words.get(kind) or _times(pattern), [pattern[kind]]


def _phrase(pattern: Mapping[str, Any]) -> str:
    """A pattern on one line."""
    if "ev" in pattern:
        value = pattern.get("value")
        return str(pattern["ev"]) + (_match(value) if value else "")
    if "seq" in pattern:
        parts = [_phrase(part) for part in pattern["seq"]]
        return _THEN.join(parts) if parts else "nothing"
    words, blocks = _head(pattern)
    return f"{words} ({' | '.join(_phrase(block) for block in blocks)})"


def _outline(pattern: Mapping[str, Any], width: int) -> list[str]:
    phrase = _phrase(pattern)
    if len(phrase) <= width or "ev" in pattern:
        return [phrase]
    if "seq" in pattern:
        return _steps(pattern["seq"], width)
    words, blocks = _head(pattern)
    lines = [f"{words}:"]
    for block in blocks:
        first, *rest = _outline(block, width - 2)
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines


def _steps(parts: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """A long sequence: events run on in a line, blocks stand alone; every
    step but the first begins with an arrow."""
    steps: list[list[str]] = []
    running = False
    for part in parts:
        step = _outline(part, width - 2)
        event = "ev" in part
        if event and running and (
            len(steps[-1][0]) + len(_THEN) + len(step[0]) <= width - 2
        ):
            steps[-1][0] += _THEN + step[0]
        else:
            steps.append(step)
        running = event
    lines: list[str] = []
    for index, (first, *rest) in enumerate(steps):
        lead = "→ " if index else ""
        lines.append(lead + first)
        lines += [" " * len(lead) + line for line in rest]
    return lines


def pattern_to_text(pattern: Mapping[str, Any], width: int = 76) -> str:
    """A compiled expectation as text; no line is longer than `width` unless
    a single event is."""
    return "\n".join(_outline(pattern, width))


# -- programs ----------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z_$./][A-Za-z0-9_$./:+*-]*\Z")
# What YAML 1.1 would not read as text.
_NOT_TEXT = re.compile(r"(y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan|"
                       r"[-+]?[0-9.].*)\Z", re.IGNORECASE)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        # YAML 1.1 takes 1e+20 for text; it wants the point.
        digits, mark, exponent = repr(value).partition("e")
        return f"{digits}{'' if '.' in digits else '.0'}{mark}{exponent}"
    if not isinstance(value, str):
        return _literal(value)
    plain = _PLAIN.match(value) and not _NOT_TEXT.match(value)
    return value if plain and not value.endswith(":") else _literal(value)


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_scalar(k)}: {_flow(v)}"
                          for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    return _scalar(value)


def _item(op: Mapping[str, Any], width: int) -> list[str]:
    """An operation as an item of a list."""
    (name, value), = op.items()
    flat = f"- {_scalar(name)}: {_flow(value)}"
    if len(flat) <= width or not isinstance(value, Mapping) or not value:
        return [flat]
    lines = [f"- {_scalar(name)}:"]
    for key, part in value.items():
        lines += [f"    {line}" for line in _key(key, part, width - 4)]
    return lines


def _key(key: str, value: Any, width: int) -> list[str]:
    flat = f"{_scalar(key)}: {_flow(value)}"
    if len(flat) <= width or not isinstance(value, list) or not value:
        return [flat]
    lines = [f"{_scalar(key)}:"]
    for item in value:
        if isinstance(item, list):
            first, *rest = _body(item, width - 4) or ["[]"]
            part = [f"- {first}", *(f"  {line}" for line in rest)]
        elif isinstance(item, Mapping) and len(item) == 1:
            part = _item(item, width - 2)
        else:
            part = [f"- {_flow(item)}"]
        lines += [f"  {line}" for line in part]
    return lines


def _body(ops: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    return [line for op in ops for line in _item(op, width)]


def program_to_text(program: Mapping[str, Any], width: int = 76) -> str:
    """A compiled program, {"main": [...]}, in the notation of the cases; of
    several processes each role under its name."""
    if "roles" not in program:
        return "\n".join(_body(program["main"], width))
    lines: list[str] = []
    for role, ops in {PRIMARY: program["main"], **program["roles"]}.items():
        body = _body(ops, width - 2)
        lines += [f"{_scalar(role)}:", *(f"  {line}" for line in body)] if (
            body) else [f"{_scalar(role)}: []"]
    return "\n".join(lines)
