# SPDX-License-Identifier: MIT
"""`run --update`: rewrites a file of known failures from results.

The file belongs to people: an entry that still holds keeps its text to the
letter, comments included; one that holds for some of its cases or versions
only is split and keeps its reason; one that no longer holds goes; what is new
comes in with a reason that somebody has to write. An entry about which these
results say nothing (not selected, another version, unsupported) stays.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import]

from plumbline.errors import ExpectationsError
from plumbline.registry import matches_version
from plumbline.results import CaseResult, Results

__all__ = ["TO_EXPLAIN", "Change", "update"]

TO_EXPLAIN = "to be explained"
_SILENT = ("unsupported", "disputed", "inconclusive", "differs")
_HEAD = """\
# SPDX-License-Identifier: MIT
# What {name} is known to do otherwise, each with the reason.
"""


@dataclass(frozen=True)
class _Entry:
    """One known failure; `text` is how it stands in the file, if it does."""

    case: str
    verdicts: tuple[str, ...]
    versions: tuple[str, ...] | None
    reason: str
    link: str | None = None
    text: str | None = None

    def applies(self, version: str, case: str) -> bool:
        return (
            self.versions is None
            or any(matches_version(version, v) for v in self.versions)
        ) and (
            fnmatchcase(case, self.case)
            or case.startswith(self.case.rstrip("/") + "/")
        )

    def render(self) -> str:
        """The entry as YAML, below `expectations:`."""
        if self.text is not None:
            return self.text
        verdict = self.verdicts[0] if len(self.verdicts) == 1 else list(
            self.verdicts
        )
        value: dict[str, Any] = {"case": self.case, "verdict": verdict}
        if self.versions is not None:
            value["versions"] = list(self.versions)
        value["reason"] = self.reason
        if self.link is not None:
            value["link"] = self.link
        lines = [
            line
            for key, item in value.items()
            for line in yaml.safe_dump(
                {key: item}, allow_unicode=True, width=76,
                # A list stands in one line, everything else on its own.
                default_flow_style=None if isinstance(item, list) else False,
            ).splitlines()
        ]
        return "".join(
            f"{'  - ' if n == 0 else '    '}{line}\n"
            for n, line in enumerate(lines)
        )


@dataclass(frozen=True)
class Change:
    """What an update did to one file."""

    path: Path
    kept: int
    added: tuple[str, ...]
    dropped: tuple[str, ...]

    def describe(self, path: str) -> str:
        if not self.added and not self.dropped:
            return f"{path}: nothing to change"
        lines = [
            f"{path}: {self.kept} kept, {len(self.added)} added, "
            f"{len(self.dropped)} dropped"
        ]
        lines += [f"  + {case}  (write its reason)" for case in self.added]
        lines += [f"  - {case}  (no longer holds)" for case in self.dropped]
        return "\n".join(lines)


# One observation: the version and what became of a case on it.
_Seen = tuple[str, CaseResult]


def update(folder: Path, all_results: Sequence[Results]) -> Change:
    """Rewrite the file of one implementation from the results of one or more
    of its versions."""
    name = all_results[0].header.implementation.name
    assert all(r.header.implementation.name == name for r in all_results)
    path = folder / f"{name}.yaml"
    head, entries = _read(path, name)
    seen: list[_Seen] = [
        (results.header.implementation.version, case)
        for results in all_results
        for case in results.cases.values()
    ]
    kept: list[_Entry] = []
    dropped: list[str] = []
    covered: set[int] = set()
    for entry in entries:
        mine = [
            (n, pair)
            for n, pair in enumerate(seen)
            if n not in covered and entry.applies(pair[0], pair[1].id)
        ]
        covered.update(n for n, _ in mine)
        left = _still(entry, [pair for _, pair in mine])
        kept += left
        if not left:
            dropped.append(entry.case)
    added = _new(kept, seen)
    if added or dropped or [e.text for e in entries] != [e.text for e in kept]:
        _write(path, head, [*kept, *added])
    return Change(
        path, len(kept), tuple(entry.case for entry in added), tuple(dropped)
    )


def _still(entry: _Entry, mine: Sequence[_Seen]) -> list[_Entry]:
    """What is left of an entry after these observations."""
    telling = [(v, c) for v, c in mine if c.verdict not in _SILENT]
    holds = [(v, c) for v, c in telling if c.verdict in entry.verdicts]
    if len(holds) == len(telling):
        return [entry]
    judged = {version for version, _ in mine}
    others = tuple(
        wanted
        for wanted in entry.versions or ()
        if not any(matches_version(version, wanted) for version in judged)
    )
    parts: list[_Entry] = []
    for case in sorted({c.id for _, c in holds}):
        versions = [v for v, c in holds if c.id == case]
        everywhere = entry.versions is None and len(versions) == len(
            [v for v, c in telling if c.id == case]
        )
        parts.append(replace(
            entry,
            case=case,
            versions=None if everywhere else (*versions, *others),
            text=None,
        ))
    if not parts and others:
        parts.append(replace(entry, versions=others, text=None))
    return parts


def _new(kept: Sequence[_Entry], seen: Sequence[_Seen]) -> list[_Entry]:
    """Entries for the failures that no kept entry accounts for."""
    failing: dict[tuple[str, str], list[str]] = {}
    judged: dict[str, set[str]] = {}
    for version, case in seen:
        judged.setdefault(case.id, set()).add(version)
        known = next((e for e in kept if e.applies(version, case.id)), None)
        if known is not None or case.verdict == "pass" or (
            not case.unexpected and case.verdict in _SILENT
        ):
            continue
        failing.setdefault((case.id, case.verdict), []).append(version)
    return [
        _Entry(
            case,
            (verdict,),
            None if len(versions) == len(judged[case]) else tuple(versions),
            TO_EXPLAIN,
        )
        for (case, verdict), versions in sorted(failing.items())
    ]


def _read(path: Path, name: str) -> tuple[str, list[_Entry]]:
    """The file's head (all before the first entry) and its entries."""
    if not path.exists():
        return _HEAD.format(name=name) + "expectations:\n", []
    text = path.read_text(encoding="utf-8")
    try:
        value = yaml.safe_load(text)
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise ExpectationsError(
            f"this is not YAML: {' '.join(str(error).split())}",
            place=str(path),
        ) from error
    entries = value.get("expectations") if isinstance(value, dict) else None
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        raise ExpectationsError("'expectations' must be a list",
                                place=str(path))
    if not entries or not isinstance(node, yaml.MappingNode):
        head = text.split("expectations:", 1)[0]
        return head + "expectations:\n", []
    items = next(
        sequence.value
        for key, sequence in node.value
        if key.value == "expectations"
    )
    starts = [item.start_mark.line for item in items]
    lines = text.splitlines(keepends=True)
    blocks = _blocks(lines, starts)
    parsed = [
        _entry(raw, f"{path}:{start + 1}", block)
        for raw, start, block in zip(entries, starts, blocks, strict=True)
    ]
    return "".join(lines[: _begin(lines, starts[0])]), parsed


def _begin(lines: Sequence[str], start: int) -> int:
    """The first line of an entry: comments just above belong to it."""
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _blocks(lines: Sequence[str], starts: Sequence[int]) -> list[str]:
    begins = [_begin(lines, start) for start in starts] + [len(lines)]
    return ["".join(lines[a:b]) for a, b in zip(begins, begins[1:])]


def _entry(raw: Any, place: str, text: str) -> _Entry:
    if not isinstance(raw, dict) or not isinstance(raw.get("case"), str):
        raise ExpectationsError("an entry needs a 'case'", place=place)
    verdict = raw.get("verdict", "fail")
    versions = raw.get("versions")
    return _Entry(
        case=raw["case"],
        verdicts=tuple(verdict) if isinstance(verdict, list)
        else (str(verdict),),
        versions=tuple(str(v) for v in versions) if versions else None,
        reason=str(raw.get("reason", TO_EXPLAIN)),
        link=raw.get("link"),
        text=text if text.endswith("\n") else text + "\n",
    )


def _write(path: Path, head: str, entries: Iterable[_Entry]) -> None:
    """Replace the file, whole or not at all."""
    body = "".join(entry.render() for entry in entries)
    if not body:
        head = head.replace("expectations:\n", "expectations: []\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(".yaml", ".", path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(head + body)
    os.chmod(name, 0o644)
    os.replace(name, path)
