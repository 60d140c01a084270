# SPDX-License-Identifier: MIT
"""The vocabulary of programs, as the files of conformance/schema/vocabulary say it.

Everything that knows an operation knows it from here: the checks of a
program, the case schema, the generated page and the JavaScript rendering.
Invariant: a vocabulary that was read without a problem uses only keys and
schema words that are known here, so nothing of it is silently ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from plumbline.corpus._problems import Problems, did_you_mean, names, shown
from plumbline.corpus._yaml import Map, Seq, Value, line_of, read_yaml

__all__ = [
    "VOCABULARY",
    "Named",
    "Operation",
    "Vocabulary",
    "read_vocabulary",
]

VOCABULARY = "conformance/schema/vocabulary"

IdMode = Literal["none", "optional", "required"]
Isolation = Literal["shared", "process", "unless-handled"]

_IDS: Mapping[str, IdMode] = {
    "": "none", "optional": "optional", "required": "required",
}
_ISOLATIONS: Mapping[str, Isolation] = {
    "": "shared", "process": "process", "unless-handled": "unless-handled",
}
_SCHEMA_WORDS = frozenset({
    "type", "enum", "minimum", "maximum", "minLength", "minItems", "maxItems",
    "maxProperties", "properties", "required", "oneOf", "$body", "$label",
    "$id", "$ref", "$module",
})
_OPERATION_KEYS = frozenset({
    "doc", "args", "capability", "capability-of", "callback", "id",
    "isolation", "only",
})
_TOP_KEYS = frozenset({
    "version", "capabilities", "traits", "values", "operations",
})


@dataclass(frozen=True)
class Named:
    """A value that a log may name, such as $count or $active:ID."""

    name: str
    doc: str
    capability: str | None
    takes_id: bool


@dataclass(frozen=True)
class Operation:
    """One operation; `args` is the JSON Schema of its value, if any."""

    name: str
    doc: str
    capability: str | None
    capability_of: Mapping[str, Mapping[str, str]]
    callback: bool
    id: IdMode
    isolation: Isolation
    main_only: bool
    module_only: bool
    peer_only: bool
    args: Map
    line: int

    @property
    def properties(self) -> Map:
        """The schemas of its keys; empty where its value is no object."""
        found = self.args.get("properties")
        return found if isinstance(found, Map) else Map(self.line)

    @property
    def required(self) -> list[str]:
        """The keys that must stand."""
        found = self.args.get("required")
        keys = [k for k in found if isinstance(k, str)] if isinstance(
            found, Seq
        ) else []
        return (["id"] if self.id == "required" else []) + keys

    @property
    def is_object(self) -> bool:
        """Whether its value is an object with named keys."""
        return "properties" in self.args or (
            not self.args and (self.callback or self.id != "none")
        )

    @property
    def keys(self) -> list[str]:
        """Every key that may stand in its value, in the order of the page."""
        return [
            *(["id"] if self.id != "none" else []),
            *self.properties,
            *(["then", "each"] if self.callback else []),
        ]


@dataclass(frozen=True)
class Vocabulary:
    """Operations, values, capabilities and traits, in the file's order."""

    version: int
    capabilities: Mapping[str, str]
    traits: Mapping[str, str]
    values: Mapping[str, Named]
    operations: Mapping[str, Operation]


class _Reader:
    """Reads one file; `capabilities` are those of all files."""

    def __init__(
        self, file: str, problems: Problems, capabilities: Mapping[str, str]
    ) -> None:
        self.file = file
        self.problems = problems
        self.capabilities = capabilities

    def add(self, line: int, wrong: str, mend: str) -> None:
        self.problems.add(self.file, line, wrong, mend)

    def section(self, top: Map, key: str) -> Map:
        found = top.get(key)
        if isinstance(found, Map):
            return found
        if key not in top:
            return Map(top.line)
        self.add(top.line_at(key), f"`{key}` must be a mapping",
                 "from names to what they mean")
        return Map(top.line)

    def texts(self, top: Map, key: str) -> dict[str, str]:
        result: dict[str, str] = {}
        section = self.section(top, key)
        for name, text in section.items():
            if isinstance(text, str) and text.strip():
                result[name] = text.strip()
            else:
                self.add(section.line_at(name), f"`{name}` has no text",
                         "say in a sentence what it means")
        return result

    def known_capability(self, name: Value, line: int) -> str | None:
        if name is None or name in self.capabilities:
            return str(name) if name is not None else None
        self.add(line, f"unknown capability {shown(name)}",
                 did_you_mean(str(name), self.capabilities,
                              where="list it under `capabilities`"))
        return None

    def values(self, top: Map) -> dict[str, Named]:
        result: dict[str, Named] = {}
        section = self.section(top, "values")
        for name, doc in self.texts(top, "values").items():
            bare, _, rest = name.partition(":")
            found = re.search(r"\(([a-z]+\.[a-z]+)\)\s*\Z", doc)
            capability = self.known_capability(
                found[1] if found else None, section.line_at(name)
            )
            result[bare] = Named(bare, doc, capability, rest == "ID")
        return result

    def operation(self, name: str, raw: Value, line: int) -> Operation | None:
        if not isinstance(raw, Map):
            self.add(line, f"the operation `{name}` must be a mapping",
                     "with at least `doc`")
            return None
        for key in raw:
            if key not in _OPERATION_KEYS:
                self.add(raw.line_at(key), f"unknown key `{key}`",
                         did_you_mean(key, _OPERATION_KEYS))
        doc = raw.get("doc")
        if not isinstance(doc, str):
            self.add(line, f"the operation `{name}` has no `doc`",
                     "say in a sentence what it does")
            doc = ""
        args = raw.get("args")
        if not isinstance(args, Map):
            args = Map(line)
        self.check_schema(args)
        only = self.word(raw, "only", ("main", "module", "peer"))
        return Operation(
            name=name,
            doc=doc.strip(),
            capability=self.known_capability(
                raw.get("capability"), raw.line_at("capability")
            ),
            capability_of=self.capability_of(raw),
            callback=raw.get("callback") is True,
            id=_IDS[self.word(raw, "id", ("optional", "required"))],
            isolation=_ISOLATIONS[
                self.word(raw, "isolation", ("process", "unless-handled"))
            ],
            main_only=only == "main",
            module_only=only == "module",
            peer_only=only == "peer",
            args=args,
            line=line,
        )

    def word(self, raw: Map, key: str, known: Iterable[str]) -> str:
        """The value of a key that takes one of a few words, or ""."""
        value = raw.get(key)
        if value is None:
            return ""
        if isinstance(value, str) and value in known:
            return value
        self.add(raw.line_at(key), f"`{key}` is {shown(value)}",
                 f"write {names(known)}, or leave it out")
        return ""

    def capability_of(self, raw: Map) -> dict[str, dict[str, str]]:
        result: dict[str, dict[str, str]] = {}
        section = raw.get("capability-of")
        if not isinstance(section, Map):
            return result
        for key, table in section.items():
            if isinstance(table, Map):
                result[key] = {
                    value: capability
                    for value, name in table.items()
                    if (capability := self.known_capability(
                        name, table.line_at(value)))
                }
        return result

    def check_schema(self, schema: Map) -> None:
        """Refuse what the checks and the generated schema do not know."""
        for word, value in schema.items():
            if word not in _SCHEMA_WORDS:
                self.add(schema.line_at(word),
                         f"unknown schema word `{word}`",
                         did_you_mean(word, sorted(_SCHEMA_WORDS)))
            parts = value.values() if (
                word == "properties" and isinstance(value, Map)
            ) else value if word == "oneOf" and isinstance(value, Seq) else ()
            for part in parts:
                if isinstance(part, Map):
                    self.check_schema(part)
                else:
                    self.add(line_of(value, schema.line),
                             "a schema must be a mapping", "write {…}")


def _top(data: bytes, reader: _Reader) -> Map:
    """The mapping that a file is; what is wrong with its frame is told."""
    top = read_yaml(data, reader.file, reader.problems)
    if not isinstance(top, Map):
        reader.add(1, "the vocabulary must be a mapping",
                   f"with the keys {names(sorted(_TOP_KEYS))}")
        top = Map(1)
    for key in top:
        if key not in _TOP_KEYS:
            reader.add(top.line_at(key), f"unknown key `{key}`",
                       did_you_mean(key, sorted(_TOP_KEYS)))
    version = top.get("version")
    if version != 1:
        reader.add(top.line_at("version"), f"version {shown(version)} is not "
                   "known here", "write `version: 1`")
    return top


_Entry = TypeVar("_Entry")


def _join(
    whole: dict[str, _Entry], part: Mapping[str, _Entry], key: str, top: Map,
    reader: _Reader,
) -> None:
    """Adds a file's section to what the files before it have."""
    for name, entry in part.items():
        if name in whole:
            reader.add(reader.section(top, key).line_at(name),
                       f"`{name}` stands already in another file",
                       f"say what it means in one file of {VOCABULARY}/")
        whole[name] = entry


def read_vocabulary(
    sources: Mapping[str, bytes], problems: Problems
) -> Vocabulary:
    """The vocabulary in these files, by their names; what is wrong goes to
    `problems`."""
    capabilities: dict[str, str] = {}
    traits: dict[str, str] = {}
    values: dict[str, Named] = {}
    operations: dict[str, Operation] = {}
    read: list[tuple[Map, _Reader]] = []
    for file, data in sources.items():
        reader = _Reader(file, problems, capabilities)
        top = _top(data, reader)
        read.append((top, reader))
        _join(capabilities, reader.texts(top, "capabilities"),
              "capabilities", top, reader)
    for top, reader in read:
        section = reader.section(top, "operations")
        _join(traits, reader.texts(top, "traits"), "traits", top, reader)
        _join(values, reader.values(top), "values", top, reader)
        _join(operations, {
            name: operation
            for name, raw in section.items()
            if (operation := reader.operation(
                name, raw, section.line_at(name)))
        }, "operations", top, reader)
    return Vocabulary(
        version=1, capabilities=capabilities, traits=traits, values=values,
        operations=operations)
