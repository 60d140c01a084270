# SPDX-License-Identifier: MIT
"""Reads the known failures, conformance/expectations/<implementation>.yaml.

    expectations:
      - case: loop/timeouts/*        glob over full ids, a subtree or a rule
        verdict: fail                or a list; fail when left out
        versions: ["12", "20.1"]     prefixes of the version; all when left out
        reason: why it differs
        link: https://...            optional

An entry that matches no case is an error: it would hide that the case it
meant was renamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from plumbline.corpus._cases import Case
from plumbline.corpus._problems import Problems, did_you_mean, names, shown
from plumbline.corpus._yaml import Map, Seq, Value, line_of, read_yaml

__all__ = ["Expectation", "UNWRITTEN", "VERDICTS", "read_expectations", "selects"]

VERDICTS = (
    "pass", "fail", "unsupported", "inconclusive", "timeout", "crash",
    "error", "leaked", "flaky",
)
# The reason that `plumbline run --update` leaves to be written.
UNWRITTEN = "to be explained"
_KEYS = ("case", "verdict", "versions", "reason", "link")
_VERSION = re.compile(r"[0-9A-Za-z]+(\.[0-9A-Za-z]+)*\Z")


@dataclass(frozen=True)
class Expectation:
    """One entry: these cases end so on this implementation."""

    case: str
    verdicts: tuple[str, ...]
    versions: tuple[str, ...] | None
    reason: str
    link: str | None

    def record(self) -> dict[str, Any]:
        """The object that stands in expectations.json."""
        one = len(self.verdicts) == 1
        return {
            "case": self.case,
            "verdict": self.verdicts[0] if one else list(self.verdicts),
            "versions": list(self.versions) if self.versions else None,
            "reason": self.reason,
            "link": self.link,
        }


def selects(pattern: str, case: Case) -> bool:
    """Whether a glob, a subtree or a rule id names that case: the selection
    that `conform --select` makes."""
    return (
        fnmatchcase(case.id, pattern)
        or case.id.startswith(pattern.rstrip("/") + "/")
        or case.rule == pattern
    )


class _Reader:
    def __init__(self, file: str, cases: list[Case],
                 problems: Problems, complete: bool) -> None:
        self.file = file
        self.cases = cases
        self.complete = complete
        self.problems = problems

    def add(self, line: int, wrong: str, mend: str = "") -> None:
        self.problems.add(self.file, line, wrong, mend)

    def read(self, document: Value) -> list[Expectation]:
        if not isinstance(document, Map) or not isinstance(
            document.get("expectations"), Seq
        ):
            self.add(line_of(document, 1), "the file is no list of "
                     "expectations", "write `expectations: [...]`")
            return []
        for key in document:
            if key != "expectations":
                self.add(document.line_at(key), f"unknown key `{key}`",
                         did_you_mean(key, ["expectations"]))
        entries = document["expectations"]
        assert isinstance(entries, Seq)
        return [
            made for index, entry in enumerate(entries)
            if (made := self.entry(entry, entries.line_at(index)))
        ]

    def entry(self, entry: Value, line: int) -> Expectation | None:
        if not isinstance(entry, Map):
            self.add(line, f"an expectation must be a mapping, not "
                     f"{shown(entry)}", "write `case: ...` and `reason: ...`")
            return None
        for key in entry:
            if key not in _KEYS:
                self.add(entry.line_at(key), f"unknown key `{key}`",
                         did_you_mean(key, _KEYS))
        return Expectation(
            case=self.glob(entry),
            verdicts=self.verdicts(entry),
            versions=self.versions(entry),
            reason=self.reason(entry),
            link=self.text(entry, "link", "write an address")
            if "link" in entry else None,
        )

    def text(self, entry: Map, key: str, mend: str) -> str:
        value = entry.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        wrong = f"`{key}` must be text, not {shown(value)}" if (
            key in entry) else f"this expectation has no `{key}`"
        self.add(entry.line_at(key), wrong, mend)
        return ""

    def reason(self, entry: Map) -> str:
        reason = self.text(entry, "reason", "say why it differs")
        if reason == UNWRITTEN:
            self.problems.add(self.file, entry.line_at("reason"), "the "
                              "reason is still to be written",
                              "say why it differs", kind="warning")
        return reason

    def glob(self, entry: Map) -> str:
        pattern = self.text(entry, "case", "write a glob over case ids")
        if pattern and self.complete and not any(
            selects(pattern, case) for case in self.cases
        ):
            self.add(entry.line_at("case"), f"`{pattern}` matches no case",
                     did_you_mean(pattern, [c.id for c in self.cases],
                                  most=0))
        return pattern

    def verdicts(self, entry: Map) -> tuple[str, ...]:
        value = entry.get("verdict", "fail")
        listed = list(value) if isinstance(value, Seq) else [value]
        for verdict in listed:
            if not isinstance(verdict, str) or verdict not in VERDICTS:
                self.add(entry.line_at("verdict"), f"unknown verdict "
                         f"{shown(verdict)}", f"known: {names(VERDICTS)}")
        if not listed:
            self.add(entry.line_at("verdict"), "`verdict` is empty",
                     "leave it out for `fail`")
        if listed == ["pass"]:
            self.add(entry.line_at("verdict"), "to pass is expected anyway",
                     "remove the entry")
        return tuple(str(v) for v in listed)

    def versions(self, entry: Map) -> tuple[str, ...] | None:
        value = entry.get("versions")
        if value is None:
            return None
        line = entry.line_at("versions")
        if not isinstance(value, Seq) or not value:
            self.add(line, f"`versions` must be a list, not {shown(value)}",
                     'write ["12", "20.1"], or leave it out for all')
            return None
        for version in value:
            if not isinstance(version, str) or not _VERSION.match(version):
                self.add(line, f"{shown(version)} is no version",
                         'write its prefix in quotes: "20.10"')
        return tuple(str(v) for v in value)


def read_expectations(
    files: Mapping[str, bytes], cases: Iterable[Case], problems: Problems
) -> dict[str, list[Expectation]]:
    """The entries of each implementation, by its name. Whether an entry
    matches a case is not asked while cases are left out for their errors."""
    listed = list(cases)
    complete = problems.error_count() == 0
    result: dict[str, list[Expectation]] = {}
    for file, data in files.items():
        name = file.rsplit("/", 1)[-1].removesuffix(".yaml")
        before = len(problems.found)
        document = read_yaml(data, file, problems)
        if document is None and len(problems.found) > before:
            continue
        result[name] = _Reader(
            file, listed, problems, complete).read(document)
    return result
