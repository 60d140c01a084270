# SPDX-License-Identifier: MIT
"""A program in the words of the vocabulary, as YAML that fits a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["vocabulary"]

_WIDTH = 66
# What YAML reads as a string without quotes, and nothing else.
_PLAIN = re.compile(r"(?![-0-9.~])[A-Za-z0-9_$./-]+")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def vocabulary(program: Mapping[str, Any]) -> str:
    """The program's `main`, and before it whatever else it states."""
    rest = {k: v for k, v in program.items() if k != "main"}
    lines = [f"{key}: {_flow(value)}" for key, value in rest.items()]
    if lines:
        lines.append("main:")
    return "\n".join([*lines, *_block(program.get("main", []), 0)])


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        if value.lower() not in _WORDS:
            return value
    return json.dumps(value, ensure_ascii=False)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{k}: {_flow(v)}" for k, v in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


def _block(value: Any, depth: int) -> Iterator[str]:
    """Lines of a value in block style, `depth` spaces deep."""
    pad = " " * depth
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _item(f"{pad}{key}:", item, depth + 2)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _entry(item, depth)
    else:
        yield pad + _scalar(value)


def _item(head: str, value: Any, depth: int) -> Iterator[str]:
    flat = f"{head} {_flow(value)}"
    if not isinstance(value, Mapping | list) or len(flat) <= _WIDTH:
        yield flat
    else:
        yield head
        yield from _block(value, depth)


def _entry(value: Any, depth: int) -> Iterator[str]:
    """One entry of a list: its first line carries the dash."""
    pad = " " * depth
    if isinstance(value, Mapping) and value:
        lines = list(_block(value, depth + 2))
        yield f"{pad}- {lines[0].lstrip()}"
        yield from lines[1:]
    elif isinstance(value, list) and len(_flow(value)) + depth > _WIDTH:
        yield f"{pad}-"
        yield from _block(value, depth + 2)
    else:
        yield f"{pad}- {_flow(value)}"
