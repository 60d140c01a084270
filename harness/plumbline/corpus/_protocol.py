# SPDX-License-Identifier: MIT
"""Writes conformance/adapters/PROTOCOL.md from the protocol's schema.

Every message and every field of it is in the page because it is in the
schema; what is said of them stands there as `description`, and the examples
as `examples`, which the tests hold against the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["PROTOCOL_PAGE", "PROTOCOL_SCHEMA", "protocol_text"]

PROTOCOL_PAGE = "conformance/adapters/PROTOCOL.md"
PROTOCOL_SCHEMA = "conformance/schema/protocol.schema.json"

_HEAD = """\
# The adapter protocol

<!-- Made from conformance/schema/protocol.schema.json by
     `python -m plumbline.corpus vocabulary --write`; do not edit. -->

An adapter is a process. The judge writes a JSON object per line to its stdin
and reads one per line from its stdout; stderr is a free log, whose end is shown
with a failure. The tutorial beside this page builds one; `./plumbline smoke 'CMD'`
holds every message of yours against the schema and says what to mend.

- `start` comes first, then a `run` at a time, each with one answer.
- A case that has a process of its own gets a fresh adapter: `start`, one `run`
  with `stream`, and the process ends as the program makes it end. Each event is
  written at once then, and the judge adds the last one, `exit` or `signal`.
- What takes longer than the case's limit is killed, with all that it started.
- Whoever answers nothing, something else, or after its own end has an `error` or
  a `crash` for this case, and a fresh process for the next.

Programs are lists of operations: `../spec/vocabulary.md`.
"""


def _kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return _kind(definitions[_name(schema)], definitions)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(v)}`" for v in schema["enum"])
    if "oneOf" in schema:
        return " or ".join(_kind(s, definitions) for s in schema["oneOf"])
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array" and "items" in schema:
        size = schema.get("maxItems")
        of = _kind(schema["items"], definitions)
        return f"list of {f'{size} ' if size else ''}({of})" if (
            " " in of) else f"list of {of}"
    if kind == "object" and isinstance(
            schema.get("additionalProperties"), dict):
        of = _kind(schema["additionalProperties"], definitions)
        return f"object of {of}"
    return str(kind)


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _meaning(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    said = schema.get("description")
    if said is None and "$ref" in schema:
        said = definitions[_name(schema)].get("description")
    return " ".join(str(said or "").split())


def _fields(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], under: str = ""
) -> Iterator[str]:
    """A row per field, those of an object behind it."""
    required: Sequence[str] = schema.get("required", ())
    for name, field in schema["properties"].items():
        target = definitions[_name(field)] if "$ref" in field else field
        what = _kind(field, definitions).replace("|", "\\|")
        mark = "" if name in required else " (optional)"
        yield (f"| `{under}{name}`{mark} | {what} "
               f"| {_meaning(field, definitions)} |")
        inner = target.get("items", {}) if (
            target.get("type") == "array") else target
        if "properties" in inner:
            dots = "[]." if target is not inner else "."
            yield from _fields(inner, definitions, f"{under}{name}{dots}")


def _message(
    name: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield schema["description"] + "\n"
    if "examples" in schema:
        yield "```json"
        for example in schema["examples"]:
            yield json.dumps(example, ensure_ascii=False)
        yield "```\n"
    yield "| field | type | |"
    yield "|---|---|---|"
    yield from _fields(schema, definitions)
    yield ""


def protocol_text(text: str) -> str:
    """The page of this schema's text."""
    definitions: Mapping[str, Any] = json.loads(text)["definitions"]
    lines = [_HEAD]
    for title, group in (("What the judge writes", "request"),
                         ("What an adapter writes", "answer")):
        lines.append(f"## {title}\n")
        for one in definitions[group]["oneOf"]:
            lines += _message(_name(one), definitions[_name(one)],
                              definitions)
    return "\n".join(lines).rstrip("\n") + "\n"
