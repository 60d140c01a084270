# SPDX-License-Identifier: MIT
"""Checks one value against a small JSON Schema and says how to mend it.

The schemas are those of the vocabulary; _vocabulary.py refuses a word that is
not handled here. Each schema becomes one closure, made once, so that a
corpus of thousands of cases is checked in moments.
"""

from __future__ import annotations

from collections.abc import Callable

from plumbline.corpus._problems import did_you_mean, names, shown
from plumbline.corpus._yaml import Map, Seq, Value

__all__ = ["Check", "compile_schema", "type_name"]

# None when the value is right, else what it must be.
Check = Callable[[Value], str | None]

_TYPES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


def type_name(value: Value) -> str:
    """The JSON Schema type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Map) else "array"


def _is(value: Value, wanted: list[str]) -> bool:
    found = type_name(value)
    return found in wanted or (found == "integer" and "number" in wanted)


def _types(schema: Map) -> Check | None:
    raw = schema.get("type")
    wanted = [raw] if isinstance(raw, str) else [
        t for t in raw if isinstance(t, str)
    ] if isinstance(raw, Seq) else []
    if not wanted:
        return None
    words = " or ".join(_TYPES.get(t, t) for t in wanted)
    return lambda v: None if _is(v, wanted) else f"must be {words}"


def _enum(schema: Map) -> Check | None:
    known = schema.get("enum")
    if not isinstance(known, Seq):
        return None
    allowed = list(known)
    texts = [str(k) for k in allowed]

    def check(value: Value) -> str | None:
        if any(value == k and type_name(value) == type_name(k)
               for k in allowed):
            return None
        mend = did_you_mean(value, texts) if isinstance(value, str) else ""
        return f"must be {names(texts)}" + (
            f" ({mend})" if mend.startswith("did") else ""
        )

    return check


def _bound(schema: Map, word: str) -> Check | None:
    limit = schema.get(word)
    if not isinstance(limit, int | float):
        return None
    least = float(limit)
    if word == "minimum":
        return lambda v: (f"must be at least {limit}" if isinstance(
            v, int | float) and not isinstance(v, bool) and v < least
            else None)
    if word == "maximum":
        return lambda v: (f"must be at most {limit}" if isinstance(
            v, int | float) and not isinstance(v, bool) and v > least
            else None)
    if word == "minLength":
        return lambda v: ("must not be empty" if isinstance(v, str)
                          and len(v) < least else None)
    if word == "maxProperties":
        return lambda v: (f"must have at most {limit} keys" if limit
                          else "must be empty: write {}") if isinstance(
                              v, Map) and len(v) > least else None
    few = word == "minItems"
    return lambda v: (
        f"must have at {'least' if few else 'most'} {limit} items"
        if isinstance(v, Seq) and (len(v) < least if few else len(v) > least)
        else None
    )


def _one_of(schema: Map) -> Check | None:
    parts = schema.get("oneOf")
    if not isinstance(parts, Seq):
        return None
    checks = [_compile(p) for p in parts if isinstance(p, Map)]

    def check(value: Value) -> str | None:
        complaints = [check(value) for check in checks]
        if None in complaints:
            return None
        words = [c for c in complaints if c]
        return words[0] + "".join(
            f", or {w.removeprefix('must be ')}" for w in words[1:]
        )

    return check


def _compile(schema: Map) -> Check:
    made = [_types(schema), _enum(schema), _one_of(schema)]
    made += [_bound(schema, word) for word in (
        "minimum", "maximum", "minLength", "minItems", "maxItems",
        "maxProperties")]
    checks = [check for check in made if check]

    def check(value: Value) -> str | None:
        return next((c for one in checks if (c := one(value))), None)

    return check


def compile_schema(schema: Map) -> Check:
    """The check for a schema of plain values (no $body, $ref, properties)."""
    check = _compile(schema)

    def told(value: Value) -> str | None:
        complaint = check(value)
        return f"{complaint}, not {shown(value)}" if complaint else None

    return told
