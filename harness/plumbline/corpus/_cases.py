# SPDX-License-Identifier: MIT
"""Reads a file of cases: expands, checks and compiles each of them.

The checks here are those that one case alone decides; what needs the whole
corpus is in _lint.py. Invariant: a case of a file that was read without an
error is complete, and what the judge does with it depends on nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from plumbline.corpus._agree import check_agreement
from plumbline.corpus._expand import (
    Combination,
    MatrixKey,
    TooLarge,
    as_text,
    combinations,
    placeholders,
    substitute,
    write_out,
)
from plumbline.corpus._files import Tree, read_tree
from plumbline.corpus._language import traces
from plumbline.corpus._pattern import IR, PatternFacts, PatternReader, with_exit
from plumbline.corpus._problems import Problems, did_you_mean, shown
from plumbline.corpus._program import PRIMARY, Facts, ProgramChecker
from plumbline.corpus._rules import Rules
from plumbline.corpus._schema import CASE_ID, Envelope
from plumbline.corpus._vocabulary import VOCABULARY, Vocabulary
from plumbline.corpus._yaml import Map, Seq, Value, line_of, read_yaml

__all__ = ["Case", "CaseReader"]

DEFAULT_TIMEOUT_MS = 5000
# Several processes start one after the other, on a machine that may be busy.
ROLES_TIMEOUT_MS = 20000

_ID = re.compile(CASE_ID)
_NOT_ID = re.compile(r"[^A-Za-z0-9._-]+")
_IN_ID = re.compile(r"\{([a-z][a-z0-9.-]*)\}")


@dataclass(frozen=True)
class Case:
    """One compiled case, one line of corpus.jsonl."""

    id: str
    rule: str
    level: str
    area: str
    topic: str
    claim: str | None
    needs: tuple[str, ...]
    traits: tuple[str, ...]
    without: tuple[str, ...]
    runs: int
    isolation: str
    pool: int | None
    timeout_ms: int
    env: Mapping[str, str]
    program: list[Any]
    roles: Mapping[str, list[Any]] | None
    bodies: list[Any]
    files: Mapping[str, str]
    expect: IR
    by_trait: tuple[tuple[str, IR], ...]
    evidence: Mapping[str, Mapping[str, int]]
    disputed: Mapping[str, str] | None
    explore: Mapping[str, str] | None
    file: str
    line: int

    def record(self) -> dict[str, Any]:
        """The object that stands in corpus.jsonl, keys in its order."""
        return {
            "kind": "case",
            "id": self.id,
            "rule": self.rule,
            "level": self.level,
            "area": self.area,
            "topic": self.topic,
            "claim": self.claim,
            "needs": list(self.needs),
            "traits": list(self.traits),
            "without": list(self.without),
            "runs": self.runs,
            "isolation": self.isolation,
            "pool": self.pool,
            "timeout_ms": self.timeout_ms,
            "env": dict(self.env),
            "program": {"main": self.program, **(
                {"bodies": self.bodies} if self.bodies else {}), **(
                {"roles": dict(self.roles)} if self.roles is not None else {})},
            "files": dict(self.files),
            "expect": self.expect,
            "by_trait": [
                {"trait": t, "expect": ir} for t, ir in self.by_trait
            ],
            "evidence": dict(self.evidence),
            "disputed": dict(self.disputed) if self.disputed else None,
            **({"explore": dict(self.explore)} if self.explore else {}),
            "source": {"file": self.file, "line": self.line},
            "hash": hashlib.sha256(self.id.encode()).hexdigest()[:16],
        }


def same(one: IR, other: IR) -> bool:
    """Whether two patterns allow the same, however they are written."""
    if one == other:
        return True
    allowed = traces(one)
    return allowed is not None and allowed == traces(other)


def _texts(value: Value) -> list[str]:
    return [str(v) for v in value] if isinstance(value, Seq) else []


def _cited(document: Value) -> Iterator[str]:
    """The rules that a document cites, whatever else is wrong with it."""
    cases = document.get("cases") if isinstance(document, Map) else None
    for holder in (document, *(cases if isinstance(cases, Seq) else ())):
        rule = holder.get("rule") if isinstance(holder, Map) else None
        if isinstance(rule, str):
            yield rule


class CaseReader:
    """Reads files of cases; what is wrong goes to `problems`."""

    def __init__(
        self, vocabulary: Vocabulary, rules: Rules, problems: Problems
    ) -> None:
        self.vocabulary = vocabulary
        self.rules = rules
        self.problems = problems
        self._envelope = Envelope(problems)
        self.programs = ProgramChecker(vocabulary, problems)
        # Rules that some case cites, also one that has an error of its own.
        self.cited: set[str] = set()
        # Areas with a file of which nothing could be read.
        self.unread: set[str] = set()

    def read(self, file: str, data: bytes, area: str) -> list[Case]:
        """The cases of one file, expanded, in the file's order."""
        document = read_yaml(data, file, self.problems)
        if document is None:
            if not any(p.file == file for p in self.problems.found):
                self.problems.add(file, 1, "the file is empty",
                                   "write `rule: ...` and `cases: [...]`")
            self.unread.add(area)
            return []
        self.cited |= set(_cited(document))
        wrong = self._envelope.check(document, file)
        if wrong is None:
            return []
        assert isinstance(document, Map)
        cases = document["cases"]
        assert isinstance(cases, Seq)
        topic = file.rsplit("/", 1)[-1].removesuffix(".yaml")
        result: list[Case] = []
        for index, raw in enumerate(cases):
            if index in wrong:
                continue
            assert isinstance(raw, Map)
            result += _OneCase(self, file, area, topic, document, raw).read()
        return result


class _OneCase:
    """One case of the file, before its expansion."""

    def __init__(
        self, reader: CaseReader, file: str, area: str, topic: str,
        document: Map, raw: Map,
    ) -> None:
        self.vocabulary = reader.vocabulary
        self.rules = reader.rules
        self.problems = reader.problems
        self.programs = reader.programs
        self.file = file
        self.area = area
        self.topic = topic
        self.document = document
        self.raw = raw

    def add(self, line: int, wrong: str, mend: str = "") -> None:
        self.problems.add(self.file, line, wrong, mend)

    # -- expansion ---------------------------------------------------------

    def read(self) -> list[Case]:
        before = self.problems.error_count()
        if ("program" in self.raw) == ("roles" in self.raw):
            wrong = "has `program` and `roles`" if "program" in self.raw else (
                "has no key `program`")
            self.add(self.raw.line, f"this case {wrong}",
                     "write one of `program: ...` and `roles: ...`")
            return []
        if "matrix" not in self.raw:
            self.no_strangers({}, "this case has no `matrix`")
            if self.problems.error_count() > before:
                return []
            case = self.compile(self.raw, {})
            return [case] if case else []
        keys = self.matrix()
        known = {name: "" for key in keys for name in key.rows[0]}
        self.no_strangers(known, "the `matrix` has no such key")
        self.check_use(keys)
        if self.problems.error_count() > before:
            return []
        result: list[Case] = []
        for combination in combinations(keys):
            before = self.problems.error_count()
            concrete = substitute(self.template(), combination)
            assert isinstance(concrete, Map)
            case = self.compile(concrete, combination)
            if self.problems.error_count() > before:
                # The other combinations would only say it again.
                break
            if case:
                result.append(case)
        return result

    def template(self) -> Map:
        """What a combination is put into: everything but the matrix."""
        result = Map(self.raw.line)
        for key, value in self.raw.items():
            if key != "matrix":
                result.put(key, value, self.raw.lines[key])
        return result

    def matrix(self) -> list[MatrixKey]:
        raw = self.raw["matrix"]
        assert isinstance(raw, Map)
        keys: list[MatrixKey] = []
        for name, values in raw.items():
            assert isinstance(values, Seq)
            rows: list[Combination] = []
            for index, value in enumerate(values):
                row = self.row(name, value)
                if rows and set(row) != set(rows[0]):
                    self.add(values.line_at(index), f"this row of `{name}` "
                             "has other keys than the first one",
                             "give every row the same keys")
                    continue
                rows.append(row)
            keys.append(MatrixKey(name, tuple(rows)))
        return keys

    @staticmethod
    def row(name: str, value: Value) -> Combination:
        if isinstance(value, Map):
            return {
                name if key == "name" else f"{name}.{key}": part
                for key, part in value.items()
                if not isinstance(part, Map | Seq)
            }
        assert not isinstance(value, Seq)
        return {name: value}

    def no_strangers(self, known: Mapping[str, str], why: str) -> None:
        """Every name in braces must be one of the matrix."""
        for key, value in self.raw.items():
            if key in ("matrix", "files"):
                continue
            at = self.raw.line_at(key)
            for name, line in placeholders(value).items():
                if name not in known:
                    self.add(line or at, f"`{{{name}}}` stands here, but "
                             f"{why}", did_you_mean(name, known)
                             or "add it to `matrix`, or mend the text")

    def check_use(self, keys: list[MatrixKey]) -> None:
        """Each key makes the ids differ and changes something."""
        id = str(self.raw["id"])
        used = {
            name
            for part, value in self.raw.items()
            if part not in ("id", "claim", "matrix")
            for name in placeholders(value)
        }
        matrix = self.raw["matrix"]
        assert isinstance(matrix, Map)
        for key in keys:
            own = set(key.rows[0])
            if not own & set(_IN_ID.findall(id)):
                self.add(self.raw.line_at("id"), f"the id does not contain "
                         f"the matrix key `{{{key.name}}}`", "without it two "
                         "cases have one id; add it")
            for name in sorted(own - used):
                if name == key.name and own & used:
                    continue
                self.add(matrix.line_at(key.name), f"the matrix key `{name}` "
                         "is not used", f'write "{{{name}}}" where it '
                         "belongs, or take it away")

    # -- one concrete case -------------------------------------------------

    def compile(self, case: Map, combination: Combination) -> Case | None:
        """The compiled case, or None when an error is noted."""
        before = self.problems.error_count()
        id = self.id(combination)
        rule = self.rule(case)
        tree = read_tree(case.get("files"), self.add)
        program, facts = self.program(case, tree)
        roles = None if "roles" not in case else {
            role: body for role, body in _mapping(case["roles"]).items()
            if role != PRIMARY}
        clean = self.problems.error_count() == before
        expect, by_trait, mentioned = self.expectations(case, facts, clean)
        isolation = self.isolation(case, facts)
        needs = [*_texts(self.document.get("needs")),
                 *_texts(case.get("needs"))]
        self.known(case, "needs", needs, self.vocabulary.capabilities)
        result = Case(
            id=f"{self.area}/{self.topic}/{id}",
            rule=rule,
            level=self.rules.by_id[rule].level if (
                rule in self.rules.by_id) else "MUST",
            area=self.area,
            topic=self.topic,
            claim=str(case["claim"]) if "claim" in case else None,
            needs=tuple(n for n in self.vocabulary.capabilities
                        if n in facts.needs or n in needs),
            traits=self.traits(case, "traits"),
            without=self.traits(case, "without"),
            runs=self.count(case, "runs", 1),
            isolation=isolation,
            pool=self.count(case, "pool", 0) or None,
            timeout_ms=self.count(case, "timeout", ROLES_TIMEOUT_MS
                                  if "roles" in case else DEFAULT_TIMEOUT_MS),
            env={k: str(v) for k, v in _mapping(case.get("env")).items()},
            program=program,
            roles=None if roles is None else {
                role: write_out(body) for role, body in roles.items()},
            bodies=tree.bodies,
            files=tree.files,
            expect=expect,
            by_trait=by_trait,
            evidence=_mapping(case.get("evidence")),
            disputed=_mapping(case.get("disputed")) or None,
            explore=_mapping(case.get("explore")) or None,
            file=self.file,
            line=self.raw.line,
        )
        self.check_traits(case, result)
        self.check_explore(case, result)
        if self.problems.error_count() > before:
            return None
        check_agreement(self.problems, case, result, facts, mentioned)
        return None if self.problems.error_count() > before else result

    def id(self, combination: Combination) -> str:
        template = str(self.raw["id"])

        def put(found: re.Match[str]) -> str:
            value = as_text(combination.get(found[1], found[0]))
            return _NOT_ID.sub("-", value)

        id = _IN_ID.sub(put, template)
        if not _ID.match(id):
            self.add(self.raw.line_at("id"), f"{shown(id)} is no case id",
                     "write letters, digits, `.`, `_` and `-`")
        return id

    def rule(self, case: Map) -> str:
        inherited = "rule" not in case
        rule = self.document.get("rule") if inherited else case["rule"]
        line = self.document.line_at("rule") if inherited else (
            case.line_at("rule"))
        if rule is None:
            self.add(case.line, "this case has no rule",
                     "write `rule: ...` in the case or at the file's top")
            return ""
        rule = str(rule)
        if rule in self.rules.retired and rule not in self.rules.by_id:
            file, at = self.rules.retired[rule]
            self.add(line, f"the rule {rule} was retired ({file}:{at})",
                     "cite a living rule, or remove the case")
        elif rule not in self.rules.by_id:
            self.add(line, f"unknown rule `{rule}`",
                     did_you_mean(rule, self.rules.by_id, where="state it in "
                                  f"conformance/spec/{self.area}.md"))
        return rule

    def several(self, case: Map) -> tuple[list[Any], Facts]:
        """The program of the first process, and the facts of all."""
        roles = case["roles"]
        assert isinstance(roles, Map)
        written: dict[str, Seq] = {}
        for role, body in roles.items():
            assert isinstance(body, Seq)
            try:
                written[role] = write_out(body)
            except TooLarge:
                self.add(roles.line_at(role), f"written out, `{role}` has "
                         "more than 20000 operations", "repeat less")
                return [], Facts()
        facts = self.programs.check_roles(written, self.file)
        return list(written[PRIMARY]), facts

    def program(self, case: Map, tree: Tree) -> tuple[list[Any], Facts]:
        if "roles" in case:
            if tree.setup or tree.modules:
                self.add(case.line_at("files"), "files that are programs, in "
                         "a case with roles", "write them as texts")
            return self.several(case)
        raw = case["program"]
        assert isinstance(raw, Seq)
        try:
            written = write_out(raw)
            modules = [
                replace(module, body=write_out(module.body))
                for module in tree.modules
            ]
        except TooLarge:
            self.add(case.line_at("program"), "written out, this program has "
                     "more than 20000 operations", "repeat less")
            return [], Facts()
        if not written:
            self.add(case.line_at("program"), "the program is empty",
                     "write an operation at least")
        facts = self.programs.check(written, self.file, modules)
        if tree.setup:
            facts.needs.add("modules.tree")
        if "modules.tree" in facts.needs and not tree.files:
            self.add(case.line, "the case changes its directory, and has none "
                     "of its own", "write a file under `files`")
        return tree.lowered(written, modules), facts

    def expectations(
        self, case: Map, facts: Facts, clean: bool
    ) -> tuple[IR, tuple[tuple[str, IR], ...], list[PatternFacts]]:
        reader = PatternReader(self.file, self.problems)
        process = "roles" in case or (
            self.inherited(case, "isolation") == "process")
        mentioned: list[PatternFacts] = []

        def read(node: Value, line: int) -> IR:
            pattern, about = reader.read(node, line_of(node, line))
            mentioned.append(about)
            if process and not about.labels & {"exit", "signal"}:
                return with_exit(pattern)
            return pattern

        expect = read(case["expect"], case.line_at("expect"))
        table = case.get("expect-by-trait")
        by_trait: list[tuple[str, IR]] = []
        if isinstance(table, Map):
            self.known(case, "expect-by-trait", list(table),
                       self.vocabulary.traits)
            by_trait = [(trait, read(node, table.line_at(trait)))
                        for trait, node in table.items()]
        return expect, tuple(by_trait), mentioned

    def inherited(self, case: Map, key: str) -> Value:
        return case[key] if key in case else self.document.get(key)

    def isolation(self, case: Map, facts: Facts) -> str:
        isolation = str(self.inherited(case, "isolation") or "shared")
        if isolation == "process" or "roles" in case:
            return "process"
        for name, line in facts.process:
            self.add(line, f"`{name}` wants a process of its own",
                     "write `isolation: process` in the case")
        for key in ("pool", "env"):
            if self.inherited(case, key) is not None:
                self.add(self.line_at(case, key), f"`{key}` wants a process "
                         "of its own", "write `isolation: process` in the "
                         "case")
        return isolation

    def line_at(self, case: Map, key: str) -> int:
        return (case if key in case else self.document).line_at(key)

    def count(self, case: Map, key: str, default: int) -> int:
        value = self.inherited(case, key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and (
            value >= 1
        ):
            return value
        self.add(self.line_at(case, key), f"`{key}` is {shown(value)}",
                 "write a whole number from 1")
        return default

    def known(
        self, case: Map, key: str, found: Iterable[str],
        known: Mapping[str, str],
    ) -> None:
        what = "capability" if key == "needs" else "trait"
        for name in found:
            if name not in known:
                self.add(self.name_line(case, key, name),
                         f"unknown {what} `{name}`", did_you_mean(
                             name, known, where=f"list it in "
                             f"{VOCABULARY}"))

    def name_line(self, case: Map, key: str, name: str) -> int:
        """The line where a name of a list or mapping stands."""
        for holder in (case, self.document):
            value = holder.get(key)
            if isinstance(value, Seq) and name in value:
                return value.line_at(value.index(name))
            if isinstance(value, Map) and name in value:
                return value.line_at(name)
        return self.line_at(case, key)

    def traits(self, case: Map, key: str) -> tuple[str, ...]:
        found = _texts(case.get(key))
        self.known(case, key, found, self.vocabulary.traits)
        return tuple(found)

    def check_traits(self, case: Map, made: Case) -> None:
        for trait in made.traits:
            if trait in made.without:
                self.add(self.name_line(case, "without", trait), f"`{trait}` "
                         "is required and excluded", "keep one of the two")
        for trait, expect in made.by_trait:
            line = self.name_line(case, "expect-by-trait", trait)
            if trait in made.without:
                self.add(line, f"the expectation for `{trait}` is never used: "
                         "`without` excludes it", "keep one of the two")
            elif trait in made.traits:
                self.add(line, f"`{trait}` is required, so `expect` is never "
                         "used", "make this the `expect`")
            elif same(expect, made.expect):
                self.add(line, f"the expectation for `{trait}` is the same "
                         "as `expect`", "remove it")
        rule = self.rules.by_id.get(made.rule)
        if rule and rule.trait and rule.trait not in {
            *made.traits, *made.without, *(t for t, _ in made.by_trait)
        }:
            self.add(self.line_at(case, "rule"), f"the rule {rule.id} belongs "
                     f"to the trait `{rule.trait}`, which this case does not "
                     "name", f"write `traits: [{rule.trait}]`")

    def check_explore(self, case: Map, made: Case) -> None:
        if made.explore is not None and len(made.explore) != 1:
            self.add(self.line_at(case, "explore"), "`explore` says one "
                     "thing", "write `skip: reason` or `subset: reason`")


def _mapping(value: Value) -> dict[str, Any]:
    return dict(value) if isinstance(value, Map) else {}
