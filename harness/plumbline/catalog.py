# SPDX-License-Identifier: MIT
"""The compiled corpus as the harness reads it: cases and rules by their ids.

The build has validated all of this already; the reader only checks that the
file is one that this version understands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from plumbline.errors import CorpusError, UsageError

__all__ = ["Case", "Catalog", "Rule", "must_select", "read_catalog",
           "select"]

FORMAT = 1


@dataclass(frozen=True)
class Rule:
    """One rule of the specification."""

    id: str
    level: str
    title: str
    text: str
    source: str
    since: str
    file: str
    line: int
    area: str


@dataclass(frozen=True)
class Case:
    """One compiled case; `raw` is its line of corpus.jsonl."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def rule(self) -> str:
        return str(self.raw["rule"])

    @property
    def level(self) -> str:
        return str(self.raw["level"])

    @property
    def area(self) -> str:
        return str(self.raw["area"])

    @property
    def topic(self) -> str:
        return str(self.raw["topic"])

    @property
    def claim(self) -> str:
        return str(self.raw.get("claim") or "")

    @property
    def short(self) -> str:
        return self.id.rsplit("/", 1)[-1]

    @property
    def needs(self) -> Sequence[str]:
        return self.raw.get("needs") or ()

    @property
    def runs(self) -> int:
        return int(self.raw.get("runs") or 1)

    @property
    def file(self) -> str:
        return str((self.raw.get("source") or {}).get("file", ""))

    @property
    def line(self) -> int:
        return int((self.raw.get("source") or {}).get("line", 0))


@dataclass(frozen=True)
class Catalog:
    """Every case and every rule."""

    suite: str
    cases: Mapping[str, Case]
    rules: Mapping[str, Rule]

    @cached_property
    def areas(self) -> list[str]:
        return sorted({case.area for case in self.cases.values()})

    def of_rule(self, rule: str) -> list[Case]:
        return [case for case in self.cases.values() if case.rule == rule]


def _matches(case: Case, pattern: str) -> bool:
    return (
        fnmatchcase(case.id, pattern)
        or case.id.startswith(pattern.rstrip("/") + "/")
        or case.rule == pattern
    )


def select(
    catalog: Catalog, wanted: Sequence[str], excluded: Sequence[str] = ()
) -> list[Case]:
    """The cases that the globs, subtrees and rule ids name, as conform
    selects them."""
    return [
        case
        for case in catalog.cases.values()
        if (not wanted or any(_matches(case, p) for p in wanted))
        and not any(_matches(case, p) for p in excluded)
    ]


def must_select(catalog: Catalog, patterns: Sequence[str]) -> None:
    """UsageError, with what was probably meant, where a pattern names no
    case: a typing error must not look like a run of everything that is
    left."""
    for pattern in patterns:
        if not any(_matches(c, pattern) for c in catalog.cases.values()):
            near = _near(catalog, pattern)
            raise UsageError(
                f"no case is selected by '{pattern}'",
                remedy=f"did you mean {' or '.join(near)}?" if near else
                "look at the ids with:  plumbline list")


def _near(catalog: Catalog, pattern: str) -> list[str]:
    short = [c.id for c in catalog.cases.values() if c.short == pattern]
    if short:
        return short[:3]
    topics = {c.id.rpartition("/")[0] for c in catalog.cases.values()}
    for names in ([*catalog.areas, *sorted(topics), *catalog.rules],
                  list(catalog.cases)):
        near = get_close_matches(pattern.rstrip("/*"), names, n=3)
        if near:
            return near
    return []


def _rule(name: str, value: Mapping[str, Any]) -> Rule:
    return Rule(
        id=name,
        level=str(value.get("level", "")),
        title=str(value.get("title", "")),
        text=str(value.get("text", "")),
        source=str(value.get("source", "")),
        since=str(value.get("since") or ""),
        file=str(value.get("file", "")),
        line=int(value.get("line") or 0),
        area=str(value.get("area", "")),
    )


def _json(path: Path, text: str, line: int) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CorpusError(f"not JSON: {error}", place=f"{path}:{line}",
                          remedy="build again") from error
    if not isinstance(value, dict):
        raise CorpusError("not an object", place=f"{path}:{line}",
                          remedy="build again")
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(
            f"cannot be read: {error.strerror}", place=str(path)
        ) from error


def read_catalog(corpus: Path, rules: Path) -> Catalog:
    """Read corpus.jsonl and rules.json."""
    # Not splitlines(), which also ends a line at the U+2028 of a string.
    lines = _read(corpus).removesuffix("\n").split("\n")
    head = _json(corpus, lines[0] or "{}", 1)
    if head.get("kind") != "corpus" or head.get("format") != FORMAT:
        raise CorpusError(
            "this is no compiled corpus of a format that is known here",
            place=str(corpus),
            remedy="build again",
        )
    cases: dict[str, Case] = {}
    for number, line in enumerate(lines[1:], 2):
        case = Case(_json(corpus, line, number))
        cases[case.id] = case
    table = _json(rules, _read(rules), 1)
    return Catalog(
        suite=str(head.get("suite", "")),
        cases=cases,
        rules={name: _rule(name, value) for name, value in table.items()},
    )
