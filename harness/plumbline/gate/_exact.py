# SPDX-License-Identifier: MIT
"""The exact lane: counters that do not depend on the machine.

    reports/baselines/ref.json       what was accepted, a line per counter
    reports/baselines/waivers.yaml   what may be more for a while, and why

Invariant: a counter takes part only while two runs agree on it; one that
varies is named and decides nothing. An increase is one only if a third run
says the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import yaml  # type: ignore[import]

from plumbline.errors import UsageError
from plumbline.measure._document import write_whole
from plumbline.measure._process import Crash, Record
from plumbline.stats import Histogram

__all__ = [
    "Counters", "Exact", "Waiver", "accept", "check_exact", "count",
    "read_baseline", "read_waivers",
]

# (benchmark, version, counter)
Key = tuple[str, int, str]
Bar = Callable[[int, int | None], None]
# Runs benchmarks by name, each twice two batches, counting system calls.
Count = Callable[
    [Sequence[str]], tuple[Sequence[Record], Sequence[Crash]]]


@dataclass(frozen=True)
class Counters:
    """What some runs agreed on, what not, and what could not be counted."""

    values: Mapping[Key, float]
    varying: Sequence[Key]
    problems: Mapping[str, str]


@dataclass(frozen=True)
class Waiver:
    """More is allowed, up to `most`, until `expires`, for a reason."""

    benchmark: str  # a glob
    counter: str
    most: float
    reason: str
    expires: date

    def covers(self, key: Key, value: float, today: date) -> bool:
        return (fnmatchcase(key[0], self.benchmark)
                and key[2] == self.counter and value <= self.most
                and today <= self.expires)


@dataclass(frozen=True)
class Line:
    """A counter that is not what was accepted."""

    benchmark: str
    counter: str
    accepted: float | None
    now: float | None
    kind: str  # more, waived, less, new, gone, other version, varies
    note: str = ""


@dataclass(frozen=True)
class Exact:
    """The lane's outcome."""

    lines: Sequence[Line]
    compared: int
    problems: Mapping[str, str]

    @property
    def increased(self) -> list[Line]:
        return [line for line in self.lines if line.kind == "more"]


def _counters(record: Record) -> dict[str, float]:
    """Its counters, and its pauses on the logical clock, which are counters:
    they are the same on every machine."""
    values = {k: float(v) for k, v in record.counters.items()}
    for pauses in record.pauses:
        if pauses.clock == "logical" and pauses.list:
            found = Histogram.of(length for _, length in pauses.list)
            values["logical_pause_p99"] = float(found.quantile(0.99))
            values["logical_pause_max"] = float(found.most)
    return values


def count(run: Count, names: Sequence[str], times: int, bar: Bar) -> Counters:
    """Count so many times, and keep what all of them say."""
    seen: dict[Key, list[float]] = {}
    problems: dict[str, str] = {}
    for number in range(times):
        bar(number, times)
        records, crashes = run([n for n in names if n not in problems])
        problems.update({c.name: c.how for c in crashes})
        for record in records:
            if record.error:
                problems[record.name] = record.error
                continue
            for name, value in _counters(record).items():
                key = (record.name, record.version, name)
                seen.setdefault(key, []).append(value)
    bar(times, times)
    good = {k: v for k, v in seen.items()
            if k[0] not in problems and len(v) == times}
    return Counters(
        {k: v[0] for k, v in good.items() if len(set(v)) == 1},
        [k for k, v in good.items() if len(set(v)) > 1], problems)


# -- the baseline -----------------------------------------------------------


def _text(key: Key) -> str:
    return f"{key[0]} v{key[1]} {key[2]}"


def _key(text: str) -> Key:
    name, version, counter = text.split(" ")
    return name, int(version.removeprefix("v")), counter


def read_baseline(path: Path) -> dict[Key, float]:
    """The accepted counters; none where nothing was accepted yet."""
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return {_key(k): float(v) for k, v in value["counters"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError
            ) as error:
        raise UsageError(f"this is no file of counters: {error}",
                         place=str(path)) from error


def accept(
    path: Path, counters: Counters, reason: str, today: date
) -> tuple[list[Line], Exact]:
    """Make the counters the accepted ones. Gives what changed, and the
    comparison that led there. Benchmarks that could not be counted keep what
    they had."""
    old = read_baseline(path)
    found = check_exact(old, counters, [], today, None)
    kept = {k: v for k, v in old.items() if k[0] in counters.problems}
    values = {**kept, **counters.values}
    history = []
    if path.exists():
        history = json.loads(path.read_text(encoding="utf-8"))["accepted"]
    changed = [line for line in found.lines if line.kind != "varies"]
    entry = {"date": today.isoformat(), "reason": reason,
             "changed": len(changed)}
    whole = {
        "format": 1,
        "accepted": [*history, entry],
        "counters": {_text(k): _number(values[k]) for k in sorted(values)},
    }
    write_whole(path, json.dumps(whole, indent=1) + "\n")
    return changed, found


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers; each needs a reason and a day on which it ends."""
    if not path.exists():
        return []
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [_waiver(entry) for entry in value["waivers"] or []]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError,
            AttributeError) as error:
        raise UsageError(
            f"a waiver is wrong: {error}", place=str(path),
            remedy="each has benchmark, counter, most, reason and expires "
            "(a day, 2027-01-31)") from error


def _waiver(entry: Mapping[str, object]) -> Waiver:
    keys = {"benchmark", "counter", "most", "reason", "expires"}
    if set(entry) != keys:
        odd = sorted(set(entry) ^ keys)
        raise ValueError(f"'{odd[0]}' is missing or unknown")
    expires, reason = entry["expires"], str(entry["reason"]).strip()
    if not isinstance(expires, date):
        raise ValueError("'expires' is no day")
    if not reason:
        raise ValueError("the reason is empty")
    return Waiver(str(entry["benchmark"]), str(entry["counter"]),
                  float(str(entry["most"])), reason, expires)


# -- the comparison ---------------------------------------------------------


def check_exact(
    baseline: Mapping[Key, float],
    counters: Counters,
    waivers: Sequence[Waiver],
    today: date,
    again: Callable[[Sequence[str]], Counters] | None,
) -> Exact:
    """Hold counters against the accepted ones; `again` counts benchmarks
    once more, so that an increase is one."""
    more = {k[0] for k, v in counters.values.items()
            if k in baseline and _above(v, baseline[k])}
    third = again(sorted(more)) if more and again else None
    lines: list[Line] = []
    compared = 0
    versions = {(k[0], k[2]): k[1] for k in baseline}
    for key, value in counters.values.items():
        accepted = baseline.get(key)
        compared += accepted is not None
        line = _line(key, value, accepted, waivers, today,
                     versions.get((key[0], key[2])), third)
        if line:
            lines.append(line)
    for key in counters.varying:
        lines.append(Line(key[0], key[2], baseline.get(key), None, "varies"))
    known = {(k[0], k[2]) for k in (*counters.values, *counters.varying)}
    for key, value in baseline.items():
        if (key[0], key[2]) not in known and key[0] not in counters.problems:
            lines.append(Line(key[0], key[2], value, None, "gone"))
    return Exact(lines, compared, counters.problems)


def _above(value: float, accepted: float) -> bool:
    return value > accepted + 1e-9 * abs(accepted)


def _line(
    key: Key, value: float, accepted: float | None,
    waivers: Sequence[Waiver], today: date, version: int | None,
    third: Counters | None,
) -> Line | None:
    def line(kind: str, note: str = "") -> Line:
        return Line(key[0], key[2], accepted, value, kind, note)

    if accepted is None:
        if version is not None and version != key[1]:
            return line("other version",
                        f"version {version} was accepted, this is {key[1]}")
        return line("new")
    if not _above(value, accepted):
        return line("less") if _above(accepted, value) else None
    if third is not None and third.values.get(key) != value:
        return line("varies")
    for waiver in waivers:
        if waiver.covers(key, value, today):
            return line("waived", f"{waiver.reason} (until {waiver.expires})")
    late = [w for w in waivers if w.covers(key, value, w.expires)]
    return line("more", f"a waiver ended on {late[0].expires}" if late
                else "")
