# SPDX-License-Identifier: MIT
"""Two files of measurements held against each other.

The values of a benchmark are its repetitions; in files of `plumbline bench`
each of them is a process. The two files were measured at two times, so what
drifted between them is in the difference: the margin is widened by what the
files say of their own noise, and `plumbline gate` is there for decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, log1p
from statistics import median

from rich.table import Table
from rich.text import Text

from plumbline.errors import MeasurementError
from plumbline.measure import Document, Series
from plumbline.stats import two_sample_shift
from plumbline.verdicts import MARGIN, Change, judge, percent

__all__ = ["Comparison", "Line", "compare", "comparison_table", "show_time"]


@dataclass(frozen=True)
class Line:
    """One benchmark of both files: a change, or a reason why not."""

    name: str
    before: float | None
    after: float | None
    change: Change | None
    problem: str | None = None
    counters: Mapping[str, tuple[float, float]] | None = None


@dataclass(frozen=True)
class Comparison:
    """Everything that two files share, and what they do not."""

    lines: Sequence[Line]
    only_before: Sequence[str]
    only_after: Sequence[str]
    notes: Sequence[str]

    @property
    def verdicts(self) -> list[str]:
        return [one.change.verdict for one in self.lines if one.change]


def compare(
    before: Document,
    after: Document,
    *,
    clock: str = "cpu",
    margin: float = MARGIN,
    names: Mapping[str, str] | None = None,
) -> Comparison:
    """Hold every benchmark of both against its like; `names` says which
    stand for which, where they are called otherwise. MeasurementError where
    not one of them can be compared."""
    pairs = names or {n: n for n in before.series if n in after.series}
    if not pairs:
        raise MeasurementError(
            "the files have no benchmark in common",
            place=f"{before.path}, {after.path}",
            remedy=f"the first has {_some(before)}, the second "
            f"{_some(after)}")
    wider = margin + log1p(max(before.spread, after.spread))
    lines = [
        _line(before.series[a], after.series[b], clock, wider)
        for a, b in pairs.items()
    ]
    if not any(line.change for line in lines):
        raise MeasurementError(
            f"no benchmark can be compared: {lines[0].name}: "
            f"{lines[0].problem}", place=f"{before.path}, {after.path}")
    return Comparison(
        lines,
        [n for n in before.series if n not in pairs],
        [n for n in after.series if n not in pairs.values()],
        _notes(before, after),
    )


def _some(document: Document) -> str:
    names = list(document.series)
    return ", ".join(names[:2]) + (", …" if len(names) > 2 else "")


def _notes(before: Document, after: Document) -> list[str]:
    notes = []
    if before.machine and after.machine:
        other = [key for key in before.machine
                 if before.machine[key] != after.machine.get(key)]
        if other:
            notes.append("measured on different machines: "
                         + ", ".join(f"{before.machine[k]} / "
                                     f"{after.machine.get(k)}"
                                     for k in other))
    fewest = min(len(s.cpu) for d in (before, after)
                 for s in d.series.values())
    if fewest < 5:
        notes.append(f"some have {fewest} repetition(s) only; a bound of 99% "
                     "needs five on each side")
    return notes


def _problem(before: Series, after: Series, clock: str) -> str | None:
    for side, one in (("first", before), ("second", after)):
        if one.error:
            return f"failed in the {side}: {one.error}"
        if not one.times(clock) or min(one.times(clock)) <= 0:
            return f"the {side} has no {clock} time"
    if before.version != after.version:
        return (f"the workload is another one: version {before.version} "
                f"and {after.version}")
    return None


def _line(
    before: Series, after: Series, clock: str, margin: float
) -> Line:
    if before.name.endswith(("/real_time", "/manual_time")):
        clock = "real"
    problem = _problem(before, after, clock)
    if problem:
        return Line(before.full_name, None, None, None, problem)
    early, late = before.times(clock), after.times(clock)
    shift = two_sample_shift([log(t) for t in early], [log(t) for t in late])
    moved = {
        key: (before.counters[key], after.counters[key])
        for key in before.counters
        if key in after.counters
        and before.counters[key] != after.counters[key]
    }
    return Line(before.full_name, median(early), median(late),
                judge(shift, margin), None, moved)


_STYLES = {"REGRESSED": "bold red", "IMPROVED": "green", "SAME": "dim",
           "INCONCLUSIVE": "yellow"}


def show_time(nanoseconds: float) -> str:
    """A time with three digits and a fitting unit."""
    for unit, size in (("ns", 1.0), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < size * 1000:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def verdict_text(verdict: str) -> Text:
    return Text(verdict, _STYLES.get(verdict, ""))


def change_text(change: Change) -> Text:
    """`+0.3% [-1.1%, +1.6%]`"""
    return Text.assemble(
        percent(change.estimate),
        (f" [{percent(change.lower)}, {percent(change.upper)}]", "dim"))


def comparison_table(comparison: Comparison) -> Table:
    """A line per benchmark; those that changed most come first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("time of one", overflow="fold")
    for name in ("before", "after", "change, 99% bounds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=False)
    for line in sorted(comparison.lines, key=_weight):
        if line.change is None or line.before is None or line.after is None:
            table.add_row(line.name, "", "", "", Text(line.problem or "",
                                                      "red"))
            continue
        table.add_row(line.name, show_time(line.before),
                      show_time(line.after), change_text(line.change),
                      verdict_text(line.change.verdict))
    return table


def _weight(line: Line) -> float:
    return -line.change.estimate if line.change else float("inf")
