# SPDX-License-Identifier: MIT
"""The results model, and the one reader of results.jsonl.

A results file is a header line, a line per case and a footer. The reader is
strict because a wrong matrix is worse than none: a file without a footer, of
a newer format, with a case twice, or whose totals contradict its lines is
refused, and the message names file and line.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from plumbline.errors import ResultsError

__all__ = [
    "FORMAT",
    "VERDICTS",
    "CaseResult",
    "Event",
    "Explanation",
    "Footer",
    "Header",
    "Implementation",
    "Results",
    "Trace",
    "label_of",
    "read_many",
    "read_results",
    "show_event",
]

FORMAT = 1

# In the order in which people want to read them.
VERDICTS = (
    "pass",
    "fail",
    "timeout",
    "crash",
    "error",
    "leaked",
    "flaky",
    "differs",
    "inconclusive",
    "disputed",
    "unsupported",
)

Scalar = str | int | float | bool | None
# A label, or a label with its value.
Event = str | tuple[str, Scalar]


@dataclass(frozen=True)
class Implementation:
    """What an adapter said of itself."""

    name: str
    version: str
    language: str = ""
    homepage: str = ""

    @property
    def label(self) -> str:
        return label_of(self.name, self.version)


@dataclass(frozen=True)
class Header:
    """The first line: who was judged, with what, where."""

    suite: str
    implementation: Implementation
    capabilities: tuple[str, ...]
    traits: tuple[str, ...]
    machine: Mapping[str, Any]
    command: tuple[str, ...]
    selected: int
    started: str
    seed: int | None


@dataclass(frozen=True)
class Trace:
    """One distinct trace of a case, and how often it was seen."""

    events: tuple[Event, ...]
    count: int
    allowed: bool


@dataclass(frozen=True)
class Explanation:
    """The shortest account of a mismatch."""

    summary: str
    kind: str = ""
    at: int | None = None
    expected: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class CaseResult:
    """One case's verdict on one implementation, with the evidence for it."""

    id: str
    rule: str
    level: str
    area: str
    verdict: str
    unexpected: bool
    expected: tuple[str, ...] = ("pass",)
    reason: str | None = None
    runs: int = 1
    duration_ms: float = 0.0
    traces: tuple[Trace, ...] = ()
    more_traces: int = 0
    explanation: Explanation | None = None
    detail: str | None = None
    stderr: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Footer:
    """The last line: the judge reached the end, or says that it did not."""

    complete: bool
    totals: Mapping[str, int]
    unexpected: int
    duration_ms: float


@dataclass(frozen=True)
class Results:
    """One whole, believable results file."""

    path: Path
    header: Header
    cases: Mapping[str, CaseResult]
    footer: Footer

    @property
    def label(self) -> str:
        """Which implementation this is: the file's name, because --name may
        have given it; a file of no telling name asks its header."""
        stem = self.path.name.removesuffix(".jsonl").removesuffix(".partial")
        if stem in ("", "results"):
            return self.header.implementation.label
        return stem

    @property
    def complete(self) -> bool:
        return self.footer.complete

    def unexpected(self) -> list[CaseResult]:
        return [case for case in self.cases.values() if case.unexpected]


def label_of(name: str, version: str) -> str:
    """The name of an implementation's results: which one it is, not how it
    was reached."""
    whole = f"{name}-{version}" if version else name
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", whole)


def show_event(event: Event) -> str:
    """An event as people write it in a case."""
    if isinstance(event, str):
        return event
    return f"{event[0]}: {json.dumps(event[1], ensure_ascii=False)}"


class _Line:
    """One parsed line with checked access: every complaint names the line."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        try:
            value = json.loads(text)
        except ValueError as error:
            self.refuse(f"this line is not JSON ({error})")
        if not isinstance(value, dict):
            self.refuse("this line is not an object")
        self.value: dict[str, Any] = value

    def refuse(self, message: str) -> NoReturn:
        raise ResultsError(
            message,
            place=self.place,
            remedy="the file cannot be believed; run the suite again",
        )

    def get(self, key: str, kind: type | tuple[type, ...]) -> Any:
        if key not in self.value:
            self.refuse(f"'{key}' is missing")
        return self.check(key, self.value[key], kind)

    def maybe(self, key: str, kind: type | tuple[type, ...]) -> Any:
        value = self.value.get(key)
        return None if value is None else self.check(key, value, kind)

    def check(
        self, key: str, value: Any, kind: type | tuple[type, ...]
    ) -> Any:
        wrong_bool = isinstance(value, bool) and kind in (int, (int, float))
        if wrong_bool or not isinstance(value, kind):
            self.refuse(f"'{key}' has the wrong type")
        return value


def _header(line: _Line) -> Header:
    if line.value.get("kind") != "header":
        line.refuse("a results file begins with a header line")
    made = line.get("format", int)
    if made != FORMAT:
        line.refuse(
            f"format {made} is not the format {FORMAT} that this version reads"
        )
    who = line.get("implementation", dict)
    name, version = who.get("name"), who.get("version")
    if not isinstance(name, str) or not name or not isinstance(version, str):
        line.refuse("'implementation' needs a name and a version")
    command = line.maybe("command", (list, str)) or []
    return Header(
        suite=line.get("suite", str),
        implementation=Implementation(
            name,
            version,
            str(who.get("language") or ""),
            str(who.get("homepage") or ""),
        ),
        capabilities=tuple(line.maybe("capabilities", list) or ()),
        traits=tuple(line.maybe("traits", list) or ()),
        machine=line.maybe("machine", dict) or {},
        command=(command,) if isinstance(command, str) else tuple(command),
        selected=line.get("selected", int),
        started=line.maybe("started", str) or "",
        seed=line.maybe("seed", int),
    )


def _event(line: _Line, event: object) -> Event:
    if isinstance(event, str):
        return event
    if (
        isinstance(event, list)
        and len(event) == 2
        and isinstance(event[0], str)
        and not isinstance(event[1], list | dict)
    ):
        return (event[0], event[1])
    line.refuse("an event is a label or [label, value]")


def _trace(line: _Line, trace: object) -> Trace:
    if not isinstance(trace, dict):
        line.refuse("a trace is an object")
    events = line.check("events", trace.get("events"), list)
    return Trace(
        tuple(_event(line, event) for event in events),
        line.check("count", trace.get("count", 1), int),
        line.check("allowed", trace.get("allowed", False), bool),
    )


def _explanation(line: _Line) -> Explanation | None:
    value = line.maybe("explanation", dict)
    if value is None:
        return None
    at = value.get("at")
    return Explanation(
        summary=line.check("summary", value.get("summary", ""), str),
        kind=str(value.get("kind") or ""),
        at=at if isinstance(at, int) else None,
        expected=tuple(str(item) for item in value.get("expected") or ()),
        before=value.get("before"),
        after=value.get("after"),
    )


def _case(line: _Line) -> CaseResult:
    verdict = line.get("verdict", str)
    if verdict not in VERDICTS:
        line.refuse(f"unknown verdict '{verdict}'")
    traces = line.maybe("traces", list) or []
    return CaseResult(
        id=line.get("id", str),
        rule=line.get("rule", str),
        level=line.get("level", str),
        area=line.get("area", str),
        verdict=verdict,
        unexpected=line.get("unexpected", bool),
        expected=tuple(line.maybe("expected", list) or ("pass",)),
        reason=line.maybe("reason", str),
        runs=line.maybe("runs", int) or 0,
        duration_ms=float(line.maybe("duration_ms", (int, float)) or 0.0),
        traces=tuple(_trace(line, trace) for trace in traces),
        more_traces=line.maybe("more_traces", int) or 0,
        explanation=_explanation(line),
        detail=line.maybe("detail", str),
        stderr=line.maybe("stderr", str),
        evidence=line.maybe("evidence", dict) or {},
    )


def _footer(line: _Line, cases: Mapping[str, CaseResult], selected: int
            ) -> Footer:
    totals = line.get("totals", dict)
    counted = Counter(case.verdict for case in cases.values())
    claimed = {name: count for name, count in totals.items() if count}
    if claimed != dict(counted):
        line.refuse("the totals contradict the cases above")
    unexpected = line.get("unexpected", int)
    if unexpected != sum(case.unexpected for case in cases.values()):
        line.refuse("the number of unexpected cases contradicts the lines")
    complete = line.get("complete", bool)
    if complete and len(cases) != selected:
        line.refuse(
            f"{selected} cases were selected, but {len(cases)} are here"
        )
    duration = line.maybe("duration_ms", (int, float)) or 0.0
    return Footer(complete, totals, unexpected, float(duration))


def read_results(path: Path) -> Results:
    """Read one file, whole; ResultsError where it cannot be believed."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsError(
            f"cannot be read: {error.strerror}", place=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise ResultsError(
            "this is no text in UTF-8", place=str(path)
        ) from error
    header: Header | None = None
    cases: dict[str, CaseResult] = {}
    footer: Footer | None = None
    # Not splitlines(), which also ends a line at the U+2028 of a string.
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, raw in enumerate(lines, 1):
        line = _Line(f"{path}:{number}", raw)
        if header is None:
            header = _header(line)
            continue
        if footer is not None:
            line.refuse("there is a line after the footer")
        kind = line.value.get("kind")
        if kind == "case":
            case = _case(line)
            if case.id in cases:
                line.refuse(f"the case {case.id} is here twice")
            cases[case.id] = case
        elif kind == "footer":
            footer = _footer(line, cases, header.selected)
        else:
            line.refuse(f"unknown kind of line: {kind!r}")
    if header is None or footer is None:
        what = "is empty" if header is None else "is truncated: no footer"
        raise ResultsError(
            f"the results file {what}",
            place=str(path),
            remedy="its run did not end; run that implementation again",
        )
    return Results(path, header, cases, footer)


def read_many(paths: Iterable[Path]) -> list[Results]:
    """Read files that shall stand side by side: one suite version, and every
    implementation once."""
    all_results: list[Results] = []
    for path in paths:
        new = read_results(path)
        for old in all_results:
            if old.header.suite != new.header.suite:
                raise ResultsError(
                    f"made with suite {new.header.suite}, but {old.path} "
                    f"with {old.header.suite}: they cannot be compared",
                    place=str(new.path),
                    remedy="run the older one again, or name the files that "
                    "belong together",
                )
            if old.label == new.label:
                raise ResultsError(
                    f"{new.label} is in {old.path} already",
                    place=str(new.path),
                    remedy="name one of the two only",
                )
        all_results.append(new)
    return all_results
