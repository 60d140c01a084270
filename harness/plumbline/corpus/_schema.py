# SPDX-License-Identifier: MIT
"""The JSON Schema of a case file, made from the vocabulary.

The frame (which keys a file and a case have) is written here; the operations
come from the vocabulary. case_schema() is the whole, for editors and for
conformance/schema/case.schema.json; envelope() is the same frame without
programs and patterns, which _program.py and _pattern.py check faster and with
the line of the very node. One text, so the two cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import jsonschema  # type: ignore[import]

from plumbline.corpus._problems import Problems, did_you_mean, shown
from plumbline.corpus._vocabulary import Operation, Vocabulary
from plumbline.corpus._yaml import Map, Seq, Value, line_of

__all__ = ["CASE_ID", "Envelope", "SCHEMA_FILE", "case_schema", "schema_text"]

Schema: TypeAlias = dict[str, Any]

SCHEMA_FILE = "conformance/schema/case.schema.json"
ROLE = r"^[a-z][a-z0-9-]*$"
CASE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
# In the file an id may still hold the names of a matrix.
_ID_TEMPLATE = r"^[A-Za-z0-9{][A-Za-z0-9._{}-]*$"
# A number's place may hold the name of a matrix value or an index.
_KEY = r"\{[a-z][a-z0-9.-]*\}"
_STAND_IN = (rf"^({_KEY}|\$[ijk](\*([0-9]+|{_KEY}))?"
             rf"(\+([0-9]+|{_KEY}))?)$")


def _count(least: int, most: int, description: str) -> Schema:
    return {
        "description": description,
        "type": ["integer", "string"],
        "minimum": least,
        "maximum": most,
        "pattern": _STAND_IN,
    }


def _name_list(description: str) -> Schema:
    return {
        "description": description,
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "uniqueItems": True,
    }


_COMMON: Schema = {
    "rule": {
        "description": "the id of a rule, such as LOOP-CHECK-2",
        "type": "string",
        "minLength": 1,
    },
    "needs": _name_list(
        "capabilities beyond those that the operations need anyway"
    ),
    "isolation": {
        "description": "process: a fresh adapter process for this case",
        "enum": ["shared", "process"],
    },
    "pool": _count(1, 1024, "threads of the pool; wants isolation: process"),
    "runs": _count(1, 10_000, "how often the program runs (litmus test)"),
}


def _frame(
    program: Schema, pattern: Schema, tree_entry: Schema
) -> Schema:
    """The keys of a file and of a case around programs and patterns."""
    scalar = {"type": ["string", "number", "boolean", "null"]}
    row = {
        "type": "object",
        "required": ["name"],
        "additionalProperties": scalar,
    }
    case: Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "expect"],
        "properties": {
            "id": {
                "description": "permanent, says what is claimed: letters, "
                "digits, `.`, `_` and `-`",
                "type": "string",
                "pattern": _ID_TEMPLATE,
                "maxLength": 200,
            },
            "claim": {
                "description": "one sentence, where the id does not say it",
                "type": "string",
                "minLength": 1,
            },
            **_COMMON,
            "traits": _name_list("traits without which the case is "
                                 "unsupported"),
            "without": _name_list("traits with which the case is "
                                  "unsupported"),
            "timeout": _count(1, 600_000, "milliseconds for one run"),
            "env": {
                "description": "environment variables of the adapter; wants "
                "isolation: process",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "files": {
                "description": "files of the case's directory: path and text, "
                "or what else stands there",
                "type": "object",
                "additionalProperties": tree_entry,
            },
            "matrix": {
                "description": "a list of values for each key; every "
                "combination is a case",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": "^[a-z][a-z0-9-]*$"},
                "additionalProperties": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"anyOf": [scalar, row]},
                },
            },
            "program": program,
            "roles": {
                "description": "in place of `program`: the program of each "
                "process; `primary` is the first",
                "type": "object",
                "required": ["primary"],
                "propertyNames": {"pattern": ROLE},
                "additionalProperties": program,
            },
            "expect": pattern,
            "expect-by-trait": {
                "description": "another expectation for implementations with "
                "a trait; the first that is declared wins",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": pattern,
            },
            "evidence": {
                "description": "counters that must reach a minimum, or the "
                "run is inconclusive",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["min"],
                    "properties": {"min": {"type": "integer", "minimum": 1}},
                },
            },
            "disputed": {
                "description": "quarantine: shown, never counted",
                "type": "object",
                "additionalProperties": False,
                "required": ["link", "reason"],
                "properties": {
                    "link": {"type": "string", "minLength": 1},
                    "reason": {"type": "string", "minLength": 1},
                },
            },
            "explore": {
                "description": "`skip: reason` keeps a pattern from being held "
                "against all that the reference can do, `subset: reason` lets "
                "it allow more",
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    "skip": {"type": "string", "minLength": 1},
                    "subset": {"type": "string", "minLength": 1},
                },
            },
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A file of conformance cases",
        "type": "object",
        "additionalProperties": False,
        "required": ["cases"],
        "properties": {
            **_COMMON,
            "cases": {"type": "array", "minItems": 1, "items": case},
        },
    }


# -- the whole schema --------------------------------------------------------

_BODY: Schema = {"type": "array", "items": {"$ref": "#/$defs/operation"}}
_LABEL: Schema = {"$ref": "#/$defs/label"}
_STRING_ID: Schema = {"type": "string", "minLength": 1}


_TREE_ENTRY: Schema = {"anyOf": [
    {"type": "string"},
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "json": {"description": "the JSON text of a value"},
            "link": {"description": "a symbolic link to there",
                     "type": "string", "minLength": 1},
            "hard-link": {"description": "another name of that file",
                          "type": "string", "minLength": 1},
            "directory": {"description": "an empty directory",
                          "type": "object", "maxProperties": 0},
            "module": _BODY,
            "before": {"description": "text before the module's",
                       "type": "string"},
            "esm": {
                "description": "an ES module",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "imports": {
                        "description": "id and specifier of each import",
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                    },
                    "stars": {
                        "description": "specifiers of `export *`",
                        "type": "array", "items": {"type": "string"},
                    },
                    "exports": {
                        "description": "the names that it exports",
                        "type": "array", "items": {"type": "string"},
                    },
                    "do": _BODY,
                    "await": {"description": "top-level await of the body",
                              "type": "boolean"},
                },
            },
        },
    },
]}


def _plain(value: Value) -> Any:
    return json.loads(json.dumps(value))


def _argument(schema: Value) -> Schema:
    """The JSON Schema of an argument; a number's place may hold a text that
    stands in for it until the case is written out."""
    if not isinstance(schema, Map):
        return {}
    if "$body" in schema or "$module" in schema:
        return _BODY
    if "$label" in schema:
        return _LABEL
    if "$ref" in schema:
        kinds = schema["$ref"]
        words = ", ".join(str(k) for k in kinds) if isinstance(
            kinds, Seq) else ""
        return {"description": f"the id of: {words}", **_STRING_ID}
    plain: Schema = _plain(schema)
    texts = ("string",) if plain.get("type") == "string" else ()
    if texts or plain == {"type": "object", "maxProperties": 0}:
        return plain
    return {"anyOf": [plain, {"type": "string", "pattern": _STAND_IN}]}


def _operation(op: Operation) -> Schema:
    """The JSON Schema of an operation's value."""
    head = {"description": op.doc}
    if op.name == "log":
        value = {"type": ["string", "number", "boolean", "null"]}
        return head | {"oneOf": [_LABEL, {
            "type": "array", "prefixItems": [_LABEL, value],
            "minItems": 2, "maxItems": 2,
        }]}
    if not op.is_object:
        return head | _argument(op.args)
    properties = {key: _argument(s) for key, s in op.properties.items()}
    if op.id != "none":
        properties = {"id": _STRING_ID} | properties
    if op.callback:
        properties["then"] = _BODY
        properties["each"] = {"type": "array", "minItems": 1, "items": _BODY}
    schema: Schema = head | {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    if op.required:
        schema["required"] = op.required
    if op.callback:
        schema["not"] = {"required": ["then", "each"]}
    return schema


def _one_key(properties: Schema) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": properties,
    }


def _patterns() -> Schema:
    block: Schema = {"$ref": "#/$defs/block"}
    number = {"anyOf": [{"type": "number"},
                        {"type": "string", "pattern": _STAND_IN}]}
    count = {"anyOf": [{"type": "integer", "minimum": 0},
                       {"type": "string", "pattern": _STAND_IN}]}
    matchers = [
        {"required": ["near", "within"]}, {"required": ["type"]},
        {"required": ["same-as"]}, {"required": ["min"]},
        {"required": ["max"]},
    ]
    blocks = {"type": "array", "minItems": 1, "items": block}
    return {
        "matcher": {"anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {
                "type": "object",
                "additionalProperties": False,
                "anyOf": matchers,
                "properties": {
                    "min": number, "max": number, "near": number,
                    "within": number, "same-as": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        ]},
        "event": {
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [{"type": "string", "minLength": 1},
                            {"$ref": "#/$defs/matcher"}],
        },
        "sequence": {"type": "array", "items": {"anyOf": [
            {"type": "string", "minLength": 1},
            {"$ref": "#/$defs/event"}, {"$ref": "#/$defs/pattern"},
        ]}},
        "block": {"anyOf": [
            {"type": "string", "minLength": 1},
            {"$ref": "#/$defs/sequence"}, {"$ref": "#/$defs/pattern"},
        ]},
        "pattern": _one_key({
            "any-order": blocks,
            "interleave": blocks,
            "one-of": blocks,
            "atomic": block,
            "optional": block,
            "repeat": {
                "type": "object",
                "additionalProperties": False,
                "required": ["of"],
                "properties": {"of": block, "min": count, "max": count},
            },
            "for": {
                "type": "object",
                "additionalProperties": False,
                "required": ["times", "do"],
                "properties": {
                    "times": count,
                    "do": {"$ref": "#/$defs/sequence"},
                },
            },
        }),
    }


def case_schema(vocabulary: Vocabulary) -> Schema:
    """The whole JSON Schema of a case file."""
    operations = vocabulary.operations
    frame = _frame(_BODY, {"$ref": "#/$defs/block"}, _TREE_ENTRY)
    frame["description"] = (
        "Made from conformance/schema/vocabulary by `python -m "
        "plumbline.corpus vocabulary --write`; do not edit."
    )
    frame["$defs"] = {
        "label": {"type": "string", "minLength": 1},
        "operation": {"anyOf": [
            _one_key({n: {"$ref": f"#/$defs/op-{n}"} for n in operations}),
            # A matrix may choose the operation.
            {
                "type": "object", "minProperties": 1, "maxProperties": 1,
                "additionalProperties": False,
                "patternProperties": {r"^.*\{.*\}.*$": True},
            },
        ]},
        **{f"op-{op.name}": _operation(op) for op in operations.values()},
        **_patterns(),
    }
    return frame


def schema_text(vocabulary: Vocabulary) -> str:
    """The text of case.schema.json."""
    return json.dumps(case_schema(vocabulary), indent=2) + "\n"


# -- the check ---------------------------------------------------------------

_KINDS = {
    "string": "text", "integer": "an integer", "number": "a number",
    "boolean": "true or false", "object": "a mapping", "array": "a list",
    "null": "null",
}


class Envelope:
    """Checks the frame of case files: one validator, compiled once."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._validator = jsonschema.Draft202012Validator(
            # What an entry of `files` may be is told by _files.py.
            _frame({"type": "array"},
                   {"type": ["string", "array", "object"]}, {})
        )

    def check(self, document: Value, file: str) -> set[int] | None:
        """The indexes of the cases whose frame is wrong, or None when that
        of the file is; what is wrong is noted."""
        wrong: set[int] | None = set()
        for error in self._validator.iter_errors(document):
            self._tell(error, document, file)
            path = list(error.absolute_path)
            if len(path) > 1 and path[0] == "cases" and wrong is not None:
                wrong.add(path[1])
            else:
                wrong = None
        return wrong

    def _tell(self, error: Any, document: Value, file: str) -> None:
        line = _line(document, list(error.absolute_path))
        what = f"`{error.absolute_path[-1]}`" if (
            error.absolute_path and isinstance(error.absolute_path[-1], str)
        ) else "this item" if error.absolute_path else "the file"
        schema, found = error.schema, error.instance
        about = schema.get("description", "") if isinstance(
            schema, dict) else ""
        rule, wants = error.validator, error.validator_value

        def add(wrong: str, mend: str, at: int = line) -> None:
            self._problems.add(file, at, wrong, mend)

        if rule == "additionalProperties" and isinstance(found, Map):
            known = schema.get("properties", {})
            for key in found:
                if key not in known:
                    add(f"unknown key `{key}`", did_you_mean(
                        key, known, most=20), found.line_at(key))
        elif rule == "required":
            missing = [key for key in wants if key not in found]
            for key in missing:
                add(f"{what} has no key `{key}`" if what != "this item"
                    else f"this case has no key `{key}`",
                    f"write `{key}: ...`")
        elif rule == "type":
            kinds = [wants] if isinstance(wants, str) else [
                w for w in wants if w != "string" or "integer" not in wants]
            words = " or ".join(_KINDS[k] for k in kinds)
            add(f"{what} must be {words}, not {shown(found)}", about)
        elif rule == "enum":
            add(f"{what} is {shown(found)}", "known: " + ", ".join(
                f"`{w}`" for w in wants))
        elif rule == "pattern" and about:
            add(f"{what} is {shown(found)}", about)
        elif rule == "pattern":
            add(f"{shown(found)} is no name for a matrix key",
                "write lower-case words with `-` between them")
        elif rule in ("minimum", "maximum"):
            side = "least" if rule == "minimum" else "most"
            add(f"{what} is {shown(found)}", f"at {side} {wants}: {about}")
        elif rule in ("minItems", "minLength", "minProperties"):
            add(f"{what} is empty", about or "write one item at least")
        elif rule == "uniqueItems":
            add(f"{what} names something twice", "take one away")
        elif rule == "anyOf":
            add(f"{shown(found)} is no matrix value", "write text, a number, "
                "or a row `{name: x, part: y}`")
        else:
            add(f"{what}: {str(error.message)[:100]}", about)


def _line(document: Value, path: Iterable[object]) -> int:
    """The line of the node at a path."""
    line, node = line_of(document, 1), document
    for step in path:
        if isinstance(node, Map) and isinstance(step, str):
            line, node = node.line_at(step), node.get(step)
        elif isinstance(node, Seq) and isinstance(step, int):
            line, node = node.line_at(step), node[step]
    return line


