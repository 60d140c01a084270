# SPDX-License-Identifier: MIT
"""Writes conformance/spec/vocabulary.md from the vocabulary."""

from __future__ import annotations


from plumbline.corpus._vocabulary import Operation, Vocabulary
from plumbline.corpus._yaml import Map, Seq, Value

__all__ = ["PAGE_FILE", "page_text"]

PAGE_FILE = "conformance/spec/vocabulary.md"

_HEAD = """\
# The vocabulary of programs

<!-- Made from conformance/schema/vocabulary by
     `python -m plumbline.corpus vocabulary --write`; do not edit. -->

A program is a list of operations. An operation has one key, its name; below,
its value stands after it. *id* names what it makes, so that other operations
can refer to it; where it may be left out it stands in brackets, as every key
does that may. A *callback* operation takes `then`, the body of every call, or
`each`, a list of bodies: the first call gets the first, the last one serves
every further call.
"""


def _flat(text: str) -> str:
    return " ".join(text.split())



def _words(value: Value) -> list[str]:
    return [str(v) for v in value] if isinstance(value, Seq) else []


def _range(schema: Map) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" {low}…{high}"
    return f" from {low}" if low is not None else ""


def describe(schema: Value) -> str:
    """A schema in a few words."""
    if not isinstance(schema, Map):
        return "anything"
    if "$body" in schema:
        return "body"
    if "$module" in schema:
        return "body of a module"
    if "$label" in schema:
        return "label"
    if "$ref" in schema:
        return "id of " + ", ".join(_words(schema["$ref"]))
    if "enum" in schema:
        return " \\| ".join(f"`{w}`" for w in _words(schema["enum"]))
    if isinstance(parts := schema.get("oneOf"), Seq):
        return " or ".join(describe(part) for part in parts)
    if schema.get("type") == "array":
        pair = schema.get("maxItems") == 2
        return "[label, value]" if pair else "list"
    if schema.get("maxProperties") == 0:
        return "`{}`"
    kind = schema.get("type")
    if kind is None:
        return "anything"
    kinds = _words(kind) if isinstance(kind, Seq) else [str(kind)]
    return " or ".join(kinds) + _range(schema)


def _arguments(op: Operation) -> list[str]:
    """The lines for the keys of an operation."""
    if not op.is_object:
        return [f"- value: {describe(op.args)}"]
    lines = []
    for key in op.keys:
        schema = op.properties.get(key)
        what = describe(schema) if schema is not None else {
            "id": "name", "then": "body", "each": "list of bodies",
        }[key]
        name = f"`{key}`" if key in op.required else f"[`{key}`]"
        lines.append(f"- {name}: {what}")
    return lines or ["- value: `{}`"]


def _notes(op: Operation) -> list[str]:
    notes = []
    if op.capability:
        notes.append(f"needs `{op.capability}`")
    for key, table in op.capability_of.items():
        notes.append(f"needs, by `{key}`: " + ", ".join(
            f"`{c}` ({v})" for v, c in table.items()))
    if op.isolation == "process":
        notes.append("wants `isolation: process`")
    elif op.isolation == "unless-handled":
        notes.append("wants `isolation: process`, unless handled in the same "
                     "body")
    if op.main_only:
        notes.append("in main only")
    if op.module_only:
        notes.append("in the body of a module only")
    if op.peer_only:
        notes.append("in the role of a peer only")
    return notes


def _operation(op: Operation) -> str:
    notes = _notes(op)
    tail = f"\n\n*{'; '.join(notes)}.*" if notes else ""
    body = "\n".join(_arguments(op))
    return f"### `{op.name}`\n\n{_flat(op.doc)}{tail}\n\n{body}\n"


def _table(head: tuple[str, str], rows: dict[str, str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| `{name}` | {_flat(text)} |" for name, text in rows.items()]
    return "\n".join(lines) + "\n"


def page_text(vocabulary: Vocabulary) -> str:
    """The whole page."""
    values = {
        value.name + (":ID" if value.takes_id else ""): value.doc
        for value in vocabulary.values.values()
    }
    parts = [
        _HEAD,
        "## Operations\n",
        *(_operation(op) for op in vocabulary.operations.values()),
        "## Values that a log may name\n",
        _table(("value", "meaning"), values),
        "## Capabilities\n",
        "A case whose needs an adapter has not promised is `unsupported`.\n",
        _table(("capability", "meaning"), dict(vocabulary.capabilities)),
        "## Traits\n",
        "A declared, legitimate variant; a case may state its expectation "
        "per trait.\n",
        _table(("trait", "meaning"), dict(vocabulary.traits)),
    ]
    return "\n".join(parts)
