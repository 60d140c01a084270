# SPDX-License-Identifier: MIT
"""Reads an expectation and turns it into the form that the judge matches.

    text            one event                    {"ev": label}
    [label, value]  in a sequence: an event      {"ev": label, "value": M}
    a list          a sequence                   {"seq": [...]}
    any-order, interleave, one-of                {"any" | "interleave" | "one"}
    atomic, optional                             {"atomic" | "opt": P}
    repeat: {of, min, max}                       {"repeat": P, "min", "max"}
    for: {times, do}                             written out, see _expand.py

A nested list is an event with a value inside a sequence and a sequence
everywhere else. Invariant: in what comes out no alternative is unreachable,
no repetition is empty or endless without consuming an event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from plumbline.corpus._expand import rounds
from plumbline.corpus._language import traces
from plumbline.corpus._problems import Problems, did_you_mean, names, shown
from plumbline.corpus._yaml import Map, Seq, Value, line_of

__all__ = [
    "IR",
    "OPERATORS",
    "PatternFacts",
    "PatternReader",
    "has_choice",
    "nullable",
    "with_exit",
]

IR: TypeAlias = dict[str, Any]

OPERATORS = (
    "any-order", "interleave", "atomic", "one-of", "optional", "repeat",
)
_MATCHERS = ("min", "max", "near", "within", "type", "same-as")
_TYPES = ("string", "number", "boolean", "null")
_NOTHING: IR = {"seq": []}
_BLOCKS = {"any-order": "any", "interleave": "interleave", "one-of": "one"}
_BLOCK_SHAPE = "write `{name}: [block, block]`; a block of several events " \
    "is a list"


@dataclass
class PatternFacts:
    """What a pattern mentions."""

    # Label -> the lines where it stands without and with a value.
    bare: dict[str, int] = field(default_factory=dict)
    valued: dict[str, int] = field(default_factory=dict)
    same_as: list[tuple[str, int]] = field(default_factory=list)

    @property
    def labels(self) -> set[str]:
        return self.bare.keys() | self.valued.keys()


def nullable(pattern: IR) -> bool:
    """Whether a pattern matches nothing at all."""
    kind = next(iter(pattern))
    if kind == "ev":
        return False
    if kind == "opt":
        return True
    if kind == "repeat":
        return pattern["min"] == 0 or nullable(pattern["repeat"])
    if kind == "atomic":
        return nullable(pattern["atomic"])
    parts = [nullable(part) for part in pattern[kind]]
    return any(parts) if kind == "one" else all(parts)


def has_choice(pattern: IR) -> bool:
    """Whether a pattern allows more than one trace, values aside."""
    kind = next(iter(pattern))
    if kind == "ev":
        return False
    if kind in ("opt", "one"):
        return True
    if kind == "repeat":
        return pattern["min"] != pattern["max"] or has_choice(pattern[kind])
    if kind == "atomic":
        return has_choice(pattern[kind])
    if kind in ("any", "interleave") and len(pattern[kind]) > 1:
        return True
    return any(has_choice(part) for part in pattern[kind])


def with_exit(pattern: IR) -> IR:
    """A pattern followed by the end of a process that succeeded."""
    end: IR = {"ev": "exit", "value": {"is": 0}}
    if "seq" in pattern:
        return {"seq": [*pattern["seq"], end]}
    return {"seq": [pattern, end]}


class PatternReader:
    """Reads the patterns of one file."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._facts = PatternFacts()

    def read(self, node: Value, line: int) -> tuple[IR, PatternFacts]:
        """The pattern's judge form, and what it mentions."""
        self._facts = PatternFacts()
        pattern = self._block(node, line, merged=False, depth=0)
        return pattern, self._facts

    def _add(self, line: int, wrong: str, mend: str = "") -> IR:
        self._problems.add(self._file, line, wrong, mend)
        return _NOTHING

    # -- blocks and sequences ----------------------------------------------

    def _block(self, node: Value, line: int, *, merged: bool, depth: int) -> IR:
        """A pattern where a list is a sequence. `merged`: an interleave
        stands around it. `depth`: how many `for` stand around it."""
        if isinstance(node, Seq):
            return self._sequence(node, merged=merged, depth=depth)
        if isinstance(node, Map) and "for" in node:
            rest = self._rounds(node, node.line, depth)
            return {"seq": [
                part for body in rest
                for part in self._sequence(
                    body, merged=merged, depth=depth + 1)["seq"]
            ]}
        if isinstance(node, Map):
            return self._operator(node, merged=merged, depth=depth)
        return self._event(node, line)

    def _sequence(self, node: Seq, *, merged: bool, depth: int) -> IR:
        parts: list[IR] = []
        for index, item in enumerate(node):
            line = node.line_at(index)
            if isinstance(item, Seq):
                parts.append(self._valued(item))
            elif isinstance(item, Map) and "for" in item:
                for body in self._rounds(item, line, depth):
                    parts += self._sequence(
                        body, merged=merged, depth=depth + 1)["seq"]
            else:
                parts.append(
                    self._block(item, line, merged=merged, depth=depth))
        return {"seq": parts}

    def _rounds(self, node: Map, line: int, depth: int) -> list[Seq]:
        found = rounds(node, "for", depth)
        if found is None:
            self._add(line, "this `for` is ill-formed", "write `for: {times: "
                      "3, do: [event, ...]}` with 1 to 1000 times, at most "
                      "three within each other")
        return found or []

    def _event(self, node: Value, line: int) -> IR:
        if not isinstance(node, str) or not node:
            return self._add(line_of(node, line), "an event must be a label, "
                             f"not {shown(node)}",
                             "write text, or `[label, value]` in a sequence")
        self._facts.bare.setdefault(node, line)
        return {"ev": node}

    def _valued(self, node: Seq) -> IR:
        if len(node) != 2 or not isinstance(node[0], str) or not node[0]:
            return self._add(node.line, "a list within a sequence is an event "
                             "`[label, value]`; this one is not",
                             "name the block's operator (`any-order: [...]`), "
                             "or take the inner brackets away")
        self._facts.valued.setdefault(node[0], node.line_at(0))
        return {"ev": node[0], "value": self._matcher(node[1],
                                                     node.line_at(1))}

    # -- operators ---------------------------------------------------------

    def _operator(self, node: Map, *, merged: bool, depth: int) -> IR:
        if len(node) != 1:
            what = "no key" if not node else "several keys"
            return self._add(node.line, f"a pattern has {what}",
                             f"write one of {names(OPERATORS)}")
        name, body = next(iter(node.items()))
        line = node.line_at(name)
        if name not in OPERATORS:
            return self._add(line, f"unknown pattern `{name}`",
                             did_you_mean(name, [*OPERATORS, "for"]))
        if name == "repeat":
            return self._repeat(body, line, merged=merged, depth=depth)
        if name in _BLOCKS:
            return self._blocks(name, body, line, merged=merged, depth=depth)
        inner = self._block(body, line, merged=merged, depth=depth)
        if name == "atomic":
            if not merged:
                self._add(line, "`atomic` stands in no `interleave`",
                          "it means something there only: take it away")
            return {"atomic": inner}
        if nullable(inner):
            self._add(line, "`optional` of a pattern that matches nothing "
                      "anyway", "take one of the two away")
        return {"opt": inner}

    def _blocks(
        self, name: str, body: Value, line: int, *, merged: bool, depth: int
    ) -> IR:
        shape = _BLOCK_SHAPE.format(name=name)
        if not isinstance(body, Seq):
            return self._add(line_of(body, line), f"`{name}` must be a list, "
                             f"not {shown(body)}", shape)
        merged = merged or name == "interleave"
        blocks: list[tuple[IR, int]] = []
        for index, item in enumerate(body):
            at = body.line_at(index)
            if isinstance(item, Map) and "for" in item:
                blocks += [
                    (self._block(one, one.line, merged=merged,
                                 depth=depth + 1), at)
                    for one in self._rounds(item, at, depth)
                ]
            else:
                blocks.append((self._block(
                    item, at, merged=merged, depth=depth), at))
        if not blocks:
            return self._add(line, f"`{name}` is empty", shape)
        if name == "one-of":
            self._alternatives(blocks, line)
        return {_BLOCKS[name]: [block for block, _ in blocks]}

    def _alternatives(self, blocks: list[tuple[IR, int]], line: int) -> None:
        if len(blocks) < 2:
            self._add(line, "`one-of` has a single alternative",
                      "add another, or take `one-of` away")
        earlier: set[object] = set()
        for block, at in blocks:
            allowed = traces(block)
            if allowed is None:
                continue
            if allowed <= earlier:
                self._add(at, "this alternative is unreachable: those before "
                          "it allow all that it allows", "remove it")
            earlier |= allowed

    def _repeat(
        self, body: Value, line: int, *, merged: bool, depth: int
    ) -> IR:
        if not isinstance(body, Map) or "of" not in body:
            return self._add(line, "`repeat` wants a pattern and its bounds",
                             "write `repeat: {of: pattern, min: 1, max: 3}`")
        for key in body:
            if key not in ("of", "min", "max"):
                self._add(body.line_at(key), f"`repeat` has no key `{key}`",
                          did_you_mean(key, ["of", "min", "max"]))
        inner = self._block(body["of"], body.line_at("of"),
                            merged=merged, depth=depth)
        least = self._count(body, "min") or 0
        most = self._count(body, "max")
        if most == 0:
            self._add(body.line_at("max"), "`repeat` at most 0 times matches "
                      "nothing", "leave the events out")
        elif most is not None and most < least:
            self._add(body.line_at("max"), f"`repeat` matches never: max "
                      f"{most} is less than min {least}", "swap them")
        if nullable(inner):
            self._add(line, "`repeat` of a pattern that matches nothing",
                      "let each round have an event; `min: 0` allows none")
        return {"repeat": inner, "min": least, "max": most}

    def _count(self, body: Map, key: str) -> int | None:
        value = body.get(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and (
            value >= 0
        ):
            return value
        self._add(body.line_at(key), f"`repeat.{key}` must be a whole number "
                  f"from 0, not {shown(value)}")
        return None

    # -- values ------------------------------------------------------------

    def _matcher(self, node: Value, line: int) -> IR:
        if isinstance(node, Seq):
            return self._add(node.line, "a value is a list",
                             "write a literal or a matcher such as "
                             "`{min: 1, max: 5}`")
        if not isinstance(node, Map):
            return {"is": node}
        for key in node:
            if key not in _MATCHERS:
                self._add(node.line_at(key), f"unknown value matcher `{key}`",
                          did_you_mean(key, _MATCHERS))
                return _NOTHING
        keys = set(node)
        if keys and keys <= {"min", "max"}:
            return self._range(node)
        if keys == {"near", "within"}:
            return self._near(node)
        if keys == {"type"}:
            return self._type(node)
        if keys == {"same-as"}:
            return self._same_as(node)
        return self._add(node.line, "these keys are no value matcher",
                         "write `{min: a, max: b}`, `{near: x, within: y}`, "
                         "`{type: number}` or `{same-as: label}`")

    def _number(self, node: Map, key: str) -> int | float | None:
        value = node.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        self._add(node.line_at(key), f"`{key}` must be a number, not "
                  f"{shown(value)}")
        return None

    def _range(self, node: Map) -> IR:
        result: IR = {}
        for key in ("min", "max"):
            if key in node and (value := self._number(node, key)) is not None:
                result[key] = value
        if len(result) == 2 and result["min"] > result["max"]:
            self._add(node.line_at("min"), f"no value lies between min "
                      f"{result['min']} and max {result['max']}", "swap them")
        return result

    def _near(self, node: Map) -> IR:
        near, within = self._number(node, "near"), self._number(node, "within")
        if within is not None and within < 0:
            self._add(node.line_at("within"), "`within` is negative, so no "
                      "value matches", "write a distance")
        return {"near": near, "within": within}

    def _type(self, node: Map) -> IR:
        value = node["type"]
        if value not in _TYPES:
            self._add(node.line_at("type"), f"unknown type {shown(value)}",
                      f"write {names(_TYPES)}; null wants quotes")
        return {"type": value}

    def _same_as(self, node: Map) -> IR:
        value = node["same-as"]
        line = node.line_at("same-as")
        if not isinstance(value, str):
            return self._add(line, "`same-as` names a label, not "
                             f"{shown(value)}")
        self._facts.same_as.append((value, line))
        return {"same_as": value}
