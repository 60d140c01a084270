# SPDX-License-Identifier: MIT
"""Writes families out: `matrix`, the operation `repeat`, the pattern `for`.

    matrix: {kind: [tick, microtask], n: [1, 2]}
        every combination; `{kind}` in any text is replaced, and a text that
        is exactly "{n}" becomes the value itself. A value may be a row,
        {name: slow, after: 50}: then {kind} is its name, {kind.after} a part.
    repeat: {times: 3, do: [...]}  and  for: {times: 3, do: [...]}
        the body, three times; `$i` in any text is the index from 0, a text
        that is exactly "$i" becomes the integer, "$i*10+5" counts on. In a
        repeat within a repeat the inner index is `$j`, then `$k`.

Invariant: what comes out keeps the line of what it was made from, and shares
no part with another copy that differs from it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from plumbline.corpus._yaml import Map, Scalar, Seq, Value

__all__ = [
    "Combination",
    "INDEXES",
    "MatrixKey",
    "TooLarge",
    "combinations",
    "placeholders",
    "rounds",
    "substitute",
    "write_out",
]

INDEXES = "ijk"
_LARGEST = 20_000

_PLACE = re.compile(r"\{([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)?)\}")
_INDEX = {
    name: re.compile(
        rf"\${name}(?:\*([0-9]+))?(?:\+([0-9]+))?(?![A-Za-z0-9_])"
    )
    for name in INDEXES
}

Combination = Mapping[str, Scalar]


class TooLarge(Exception):
    """Written out, this would be larger than any case may be."""


@dataclass(frozen=True)
class MatrixKey:
    """One key of a matrix with its rows; a row always has the key itself."""

    name: str
    rows: tuple[Combination, ...]


def combinations(keys: list[MatrixKey]) -> Iterator[Combination]:
    """Every combination, the last key turning fastest."""
    for rows in itertools.product(*(key.rows for key in keys)):
        merged: dict[str, Scalar] = {}
        for row in rows:
            merged.update(row)
        yield merged


def as_text(value: Scalar) -> str:
    """A matrix value as it stands inside a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def placeholders(value: Value) -> dict[str, int]:
    """The names that stand in braces anywhere in a value, keys included,
    each with the line where it stands first."""
    found: dict[str, int] = {}

    def walk(part: Value, line: int) -> None:
        if isinstance(part, str):
            if "{" in part:
                for name in _PLACE.findall(part):
                    found.setdefault(name, line)
        elif isinstance(part, Map):
            for key, inner in part.items():
                walk(key, part.lines[key])
                walk(inner, part.lines[key])
        elif isinstance(part, Seq):
            for inner, at in zip(part, part.lines, strict=True):
                walk(inner, at)

    walk(value, value.line if isinstance(value, Map | Seq) else 0)
    return found


def substitute(value: Value, combination: Combination) -> Value:
    """`value` with the combination's values in place of their names. A name
    that the combination does not have is left as it stands."""

    def put(text: str) -> Value:
        if "{" not in text:
            return text
        whole = _PLACE.fullmatch(text)
        if whole and whole[1] in combination:
            return combination[whole[1]]
        return _PLACE.sub(
            lambda m: as_text(combination[m[1]])
            if m[1] in combination else m[0],
            text,
        )

    return _map(value, put)


def _indexed(value: Value, name: str, index: int) -> Value:
    """`value` with the number in place of $name."""
    pattern = _INDEX[name]

    def number(found: re.Match[str]) -> int:
        return index * int(found[1] or 1) + int(found[2] or 0)

    def put(text: str) -> Value:
        if "$" not in text:
            return text
        whole = pattern.fullmatch(text)
        if whole:
            return number(whole)
        return pattern.sub(lambda m: str(number(m)), text)

    return _map(value, put)


def _map(value: Value, put: Callable[[str], Value]) -> Value:
    """A copy of a value with `put` applied to each text in it."""
    if isinstance(value, str):
        return put(value)
    if isinstance(value, Map):
        result = Map(value.line)
        for key, part in value.items():
            name = put(key)
            result.put(name if isinstance(name, str) else str(name),
                       _map(part, put), value.lines[key])
        return result
    if isinstance(value, Seq):
        items = Seq(value.line)
        for part, line in zip(value, value.lines, strict=True):
            items.put(_map(part, put), line)
        return items
    return value


def rounds(node: Value, key: str, depth: int) -> list[Seq] | None:
    """The bodies that {key: {times: n, do: [...]}} stands for, one a round,
    or None where the node is something else or ill-formed."""
    if not isinstance(node, Map) or len(node) != 1 or key not in node:
        return None
    inner = node[key]
    if not isinstance(inner, Map) or set(inner) != {"times", "do"}:
        return None
    times, body = inner["times"], inner["do"]
    if (
        not isinstance(times, int) or isinstance(times, bool)
        or not isinstance(body, Seq) or not 1 <= times <= 1000
        or depth >= len(INDEXES)
    ):
        return None
    result = []
    for index in range(times):
        copy = _indexed(body, INDEXES[depth], index)
        assert isinstance(copy, Seq)
        result.append(copy)
    return result


def write_out(program: Seq) -> Seq:
    """A program without `repeat`. An ill-formed repeat is left for the
    checks to complain about. Raises TooLarge."""
    budget = [_LARGEST]

    def spend(count: int) -> None:
        budget[0] -= count
        if budget[0] < 0:
            raise TooLarge

    def body(ops: Seq, depth: int) -> Seq:
        result = Seq(ops.line)
        for op, line in zip(ops, ops.lines, strict=True):
            copies = rounds(op, "repeat", depth)
            if copies is None:
                spend(1)
                result.put(inside(op, depth), line)
                continue
            for copy in copies:
                spend(len(copy))
                written = body(copy, depth + 1)
                for item, at in zip(written, written.lines, strict=True):
                    result.put(item, at)
        return result

    def inside(node: Value, depth: int) -> Value:
        if isinstance(node, Seq):
            return body(node, depth)
        if not isinstance(node, Map):
            return node
        result = Map(node.line)
        for key, part in node.items():
            result.put(key, inside(part, depth), node.lines[key])
        return result

    return body(program, 0)
