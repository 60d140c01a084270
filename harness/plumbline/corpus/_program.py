# SPDX-License-Identifier: MIT
"""Checks a program against the vocabulary and gathers what it can do.

The facts (labels it can log, capabilities it needs, operations that want a
process of their own) are what the other checks of a case stand on. Invariant:
a program that was checked without a problem can be performed by any adapter
that has its capabilities, without a further check there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plumbline.corpus._problems import Problems, did_you_mean, names, shown
from plumbline.corpus._shape import Check, compile_schema
from plumbline.corpus._vocabulary import Operation, Vocabulary
from plumbline.corpus._yaml import Map, Seq, Value, line_of

__all__ = [
    "Facts",
    "LabelUse",
    "Module",
    "PRIMARY",
    "ProgramChecker",
    "RUNNER_LABELS",
    "is_peer",
]

PRIMARY = "primary"
# What a peer knows of the operations that others have, too.
_OF_PEERS = ("log", "exit")

# Events that the runner adds to the trace of an isolated case.
RUNNER_LABELS = ("exit", "signal")

_LABEL = re.compile(r"[^\s{}$](?:[^{}$\n\t\r]*[^\s{}$])?\Z")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_PAGE = "the operations stand in conformance/spec/vocabulary.md"


@dataclass
class LabelUse:
    """Where a label is logged first, and in which of the two forms."""

    line: int
    bare: bool = False
    valued: bool = False


@dataclass
class Facts:
    """What a program can do, as far as its text tells."""

    labels: dict[str, LabelUse] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)
    process: list[tuple[str, int]] = field(default_factory=list)
    ids: dict[str, tuple[str, int]] = field(default_factory=dict)
    refs: list[tuple[str, list[str] | None, str, int]] = field(
        default_factory=list
    )
    # Of every process that is started: its id, its role, the line.
    starts: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Module:
    """A module of the case's tree: its body, and the ids that its static
    imports make."""

    body: Seq
    esm: bool = False
    imports: tuple[tuple[str, int], ...] = ()


def is_peer(role: str) -> bool:
    """Whether a role is the suite's own actor and no implementation."""
    return re.match(r"peer(?:[-0-9].*)?\Z", role) is not None


@dataclass(frozen=True)
class _Place:
    """Where a body stands."""

    main: bool
    callback: bool


class ProgramChecker:
    """Checks programs against one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, problems: Problems) -> None:
        self.vocabulary = vocabulary
        self.problems = problems
        self._file = ""
        self._facts = Facts()
        self._in_module = False
        self._in_peer = False
        self._checks: Mapping[str, Mapping[str, Check]] = {
            op.name: {
                key: compile_schema(schema)
                for key, schema in op.properties.items()
                if isinstance(schema, Map) and not _marker(schema)
            } | {"": compile_schema(op.args)}
            for op in vocabulary.operations.values()
        }

    def check(
        self, program: Seq, file: str, modules: Sequence[Module] = ()
    ) -> Facts:
        """The facts of a program and of the modules around it; what is wrong
        is noted for `file`."""
        self._file = file
        self._facts = Facts()
        for module in modules:
            for id, line in module.imports:
                self._define_as("import", id, line)
            self._need("modules.import" if module.esm else "modules.require")
            self._module(module.body, module.body.line)
        self._body(program, program.line, _Place(main=True, callback=False))
        for ref in self._facts.refs:
            self._resolve(*ref)
        return self._facts

    def check_roles(self, roles: Mapping[str, Seq], file: str) -> Facts:
        """The facts of a program of several processes: a label of a child
        has the child's id in front."""
        facts: dict[str, Facts] = {}
        for role, body in roles.items():
            self._in_peer = is_peer(role)
            facts[role] = self.check(body, file)
        self._in_peer = False
        whole = Facts(labels=dict(facts[PRIMARY].labels))
        whole.needs.add("process.roles")
        started = {PRIMARY}
        for about in facts.values():
            whole.needs |= about.needs
            for id, role, line in about.starts:
                started.add(role)
                if role not in roles:
                    self._add(line, f"no role `{role}`",
                              did_you_mean(role, roles)
                              or "add it under `roles`")
                    continue
                for label, use in facts[role].labels.items():
                    whole.labels.setdefault(f"{id}.{label}", use)
        for role, body in roles.items():
            if role not in started:
                self._add(body.line, f"nothing starts the role `{role}`",
                          "start it, or remove it")
        return whole

    def _add(self, line: int, wrong: str, mend: str = "") -> None:
        self.problems.add(self._file, line, wrong, mend)

    # -- bodies and operations ---------------------------------------------

    def _module(self, ops: Value, line: int) -> None:
        outer, self._in_module = self._in_module, True
        self._body(ops, line, _Place(main=False, callback=False))
        self._in_module = outer

    def _body(self, ops: Value, line: int, place: _Place) -> None:
        if not isinstance(ops, Seq):
            self._add(line_of(ops, line), "a body must be a list of "
                      f"operations, not {shown(ops)}",
                      "write `[{log: x}]` or a line `- log: x` for each")
            return
        for index, op in enumerate(ops):
            found = self._operation(op, ops.line_at(index), place)
            if found is not None:
                self._isolation(found, op, ops, index)

    def _operation(
        self, node: Value, line: int, place: _Place
    ) -> Operation | None:
        if isinstance(node, str):
            mend = f"write `{node}: {{}}`" if (
                node in self.vocabulary.operations
            ) else f"write `log: {node}` for an event"
            self._add(line, f"{shown(node)} is no operation", mend)
            return None
        if not isinstance(node, Map) or len(node) != 1:
            what = "has several keys" if isinstance(node, Map) and node else (
                "is " + shown(node))
            self._add(line_of(node, line), f"an operation has exactly one "
                      f"key, its name; this one {what}",
                      "begin a new item with `- `, or mend the indentation")
            return None
        name, value = next(iter(node.items()))
        op = self.vocabulary.operations.get(name)
        if op is None:
            self._add(node.line_at(name), f"unknown operation `{name}`",
                      did_you_mean(name, self.vocabulary.operations,
                                   where=_PAGE))
            return None
        if op.main_only and not place.main:
            self._add(node.line_at(name), f"`{name}` stands in a callback",
                      "it may stand in main only")
        if self._in_peer and not op.peer_only and name not in _OF_PEERS:
            self._add(node.line_at(name), f"a peer does not know `{name}`",
                      "its operations are those marked so, log and exit")
        if op.peer_only and not self._in_peer:
            self._add(node.line_at(name), f"`{name}` stands in no peer",
                      "it may stand in a role called `peer`, `peer-2` only")
        if op.module_only and not self._in_module:
            self._add(node.line_at(name), f"`{name}` stands in no module",
                      "it may stand in the body of a module only")
        self._need(op.capability)
        self._arguments(op, value, node.line_at(name), place)
        return op

    def _need(self, capability: str | None) -> None:
        if capability and not self._in_peer:
            self._facts.needs.add(capability)

    def _isolation(
        self, op: Operation, node: Value, ops: Seq, index: int
    ) -> None:
        if op.isolation == "shared":
            return
        assert isinstance(node, Map)
        if op.isolation == "unless-handled" and _handled(node, ops, index):
            return
        self._facts.process.append((op.name, node.line_at(op.name)))

    # -- arguments ---------------------------------------------------------

    def _arguments(
        self, op: Operation, value: Value, line: int, place: _Place
    ) -> None:
        if op.name == "log":
            self._log(value, line, place)
        elif "$ref" in op.args:
            self._reference(op, op.args, value, line)
        elif "$label" in op.args:
            self._label(value, line, valued=True)
        elif op.is_object:
            self._object(op, value, line)
        else:
            self._plain(op, "", value, line)

    def _plain(
        self, op: Operation, key: str, value: Value, line: int
    ) -> None:
        complaint = self._checks[op.name][key](value)
        if complaint:
            what = f"`{op.name}.{key}`" if key else f"`{op.name}`"
            self._add(line_of(value, line), f"{what} {complaint}")

    def _object(self, op: Operation, value: Value, line: int) -> None:
        if not isinstance(value, Map):
            body = "then: [...]" if op.callback else ", ".join(
                f"{key}: ..." for key in op.required)
            self._add(line_of(value, line), f"`{op.name}` must be a mapping, "
                      f"not {shown(value)}",
                      f"write `{op.name}: {{{body}}}`")
            return
        for key, part in value.items():
            self._argument(op, key, part, value.line_at(key))
        for key in op.required:
            if key not in value:
                self._add(line, f"`{op.name}` wants the key `{key}`",
                          f"write `{op.name}: {{{key}: ...}}`")
        if "then" in value and "each" in value and op.callback:
            self._add(value.line_at("each"), f"`{op.name}` has both `then` "
                      "and `each`", "`then` serves every call, `each` has a "
                      "body a call: keep one")
        role = value.get("role")
        if isinstance(role, str) and op.id != "none":
            id = value.get("id")
            self._facts.starts.append(
                (id if isinstance(id, str) else role, role, line))
        for key, table in op.capability_of.items():
            chosen = value.get(key)
            if isinstance(chosen, str):
                self._need(table.get(chosen))

    def _argument(
        self, op: Operation, key: str, value: Value, line: int
    ) -> None:
        if key not in op.keys:
            self._add(line, f"`{op.name}` has no key `{key}`",
                      did_you_mean(key, op.keys)
                      or f"write `{op.name}: {{}}`")
            return
        schema = op.properties.get(key)
        if key == "id" and op.id != "none":
            self._define(op, value, line)
        elif key == "each" and op.callback:
            self._each(op, value, line)
        elif key == "then" and op.callback or _marker(schema) == "$body":
            self._body(value, line, _Place(main=False, callback=True))
        elif _marker(schema) == "$module":
            self._module(value, line)
        elif _marker(schema) == "$label":
            self._label(value, line, valued=True)
        elif _marker(schema) == "$ref" and isinstance(schema, Map):
            self._reference(op, schema, value, line)
        else:
            self._plain(op, key, value, line)

    def _each(self, op: Operation, value: Value, line: int) -> None:
        if not isinstance(value, Seq) or not value:
            self._add(line_of(value, line), f"`{op.name}.each` must be a "
                      f"list of bodies, not {shown(value)}",
                      "write `each: [[{log: first}], [{log: later}]]`")
            return
        for index, body in enumerate(value):
            self._body(body, value.line_at(index),
                       _Place(main=False, callback=True))

    # -- labels, values, ids -----------------------------------------------

    def _log(self, value: Value, line: int, place: _Place) -> None:
        if not isinstance(value, Seq):
            self._label(value, line, valued=False)
            return
        if len(value) != 2:
            self._add(value.line, f"`log` has {len(value)} items",
                      "write `log: label` or `log: [label, value]`")
            return
        self._label(value[0], value.line_at(0), valued=True)
        self._value(value[1], value.line_at(1), place)

    def _label(self, value: Value, line: int, *, valued: bool) -> None:
        if not isinstance(value, str) or not _LABEL.match(value):
            mend = "write text without spaces at its ends, `{`, `}` or `$`"
            if isinstance(value, str) and "$" in value:
                mend = "`$i` is replaced inside a `repeat` only"
            self._add(line_of(value, line),
                      f"{shown(value)} is no label", mend)
            return
        if value in RUNNER_LABELS:
            self._add(line, f"the label `{value}` is the runner's own, for "
                      "how a process ended", "take another name")
        use = self._facts.labels.setdefault(value, LabelUse(line))
        use.valued = use.valued or valued
        use.bare = use.bare or not valued

    def _value(self, value: Value, line: int, place: _Place) -> None:
        if isinstance(value, Map | Seq):
            self._add(value.line, f"a logged value is {shown(value)}",
                      "log text, a number, true, false or null")
            return
        if not isinstance(value, str) or not value.startswith("$"):
            return
        name, colon, id = value.partition(":")
        named = self.vocabulary.values.get(name)
        if named is None or named.takes_id != bool(colon):
            known = [n.name + (":ID" if n.takes_id else "")
                     for n in self.vocabulary.values.values()]
            self._add(line, f"unknown value {shown(value)}",
                      did_you_mean(value, known, most=20))
            return
        self._need(named.capability)
        if name in ("$result", "$count") and not place.callback:
            self._add(line, f"`{name}` stands in main",
                      "it means something in a callback only")
        if named.takes_id:
            self._facts.refs.append((id, None, name, line))

    def _define(self, op: Operation, value: Value, line: int) -> None:
        if not isinstance(value, str) or not _ID.match(value):
            self._add(line, f"{shown(value)} is no id",
                      "write a letter, then letters, digits, `-` or `_`")
            return
        self._define_as(op.name, value, line)

    def _define_as(self, kind: str, value: str, line: int) -> None:
        earlier = self._facts.ids.get(value)
        if earlier is None:
            self._facts.ids[value] = (kind, line)
        elif earlier[0] != kind or kind != "timer":
            self._add(line, f"the id `{value}` is taken by the "
                      f"`{earlier[0]}` in line {earlier[1]}",
                      "take another name")

    def _reference(
        self, op: Operation, schema: Map, value: Value, line: int
    ) -> None:
        kinds = schema["$ref"]
        if not isinstance(value, str):
            self._add(line_of(value, line), f"`{op.name}` names an object, "
                      f"not {shown(value)}", "write the id of "
                      f"{names(_texts(kinds))}")
            return
        self._facts.refs.append((value, _texts(kinds), op.name, line))

    def _resolve(
        self, id: str, kinds: list[str] | None, user: str, line: int
    ) -> None:
        found = self._facts.ids.get(id)
        if found is None:
            known = [name for name, (kind, _) in self._facts.ids.items()
                     if kinds is None or kind in kinds]
            self._add(line, f"`{user}` names `{id}`, which no operation of "
                      "the program makes",
                      did_you_mean(id, known) or "give an operation "
                      f"`id: {id}`")
        elif kinds is not None and found[0] not in kinds:
            self._add(line, f"`{user}` names `{id}`, the `{found[0]}` of "
                      f"line {found[1]}",
                      f"it takes {names(kinds)}")


def _marker(schema: Value) -> str:
    """The $word of a schema that is one, or ""."""
    if isinstance(schema, Map):
        for word in ("$body", "$module", "$label", "$id", "$ref"):
            if word in schema:
                return word
    return ""


def _texts(value: Value) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(
        value, Seq) else []


def _handled(node: Map, ops: Seq, index: int) -> bool:
    """Whether a later operation of the same body handles this promise."""
    made = next(iter(node.values()))
    id = made.get("id") if isinstance(made, Map) else None
    for later in ops[index + 1:]:
        handle = later.get("handle") if isinstance(later, Map) else None
        if id and isinstance(handle, Map) and handle.get("of") == id:
            return True
    return False
