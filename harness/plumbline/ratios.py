# SPDX-License-Identifier: MIT
"""What the reference is to reach against its peers, measured in rounds.

A round runs the benchmarks of both sides next to each other, and the next one
runs them in the opposite order; a ratio is taken within a round, so what slows
the machine down slows both. Shown is the median of the rounds' ratios, with
the least and the greatest. bench/targets.yaml says what is measured, and what
is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml  # type: ignore[import]
from rich.table import Table
from rich.text import Text

from plumbline.benchmarks import run_bench
from plumbline.errors import PlumblineError, RunError
from plumbline.measure import Series, read_document
from plumbline.places import Places

__all__ = ["Found", "Goal", "measure_goals", "ratio_table", "read_goals"]

_KEYS = {
    "title", "bench", "plus", "theirs", "n", "who", "against", "ratio",
    "below", "clock", "limit",
}
_NAME = re.compile(r"[a-z0-9:/-]+")  # means itself in any dialect of regex
Bar = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Goal:
    """One line of the table. Without a target it is only shown."""

    group: str
    title: str
    bench: str
    theirs: str
    plus: str | None  # a benchmark whose time is added, on both sides
    who: str
    against: str
    ratio: float | None
    below: float | None
    real: bool
    limit: str | None

    @property
    def alone(self) -> bool:
        """Nobody else has it."""
        return self.below is not None


@dataclass(frozen=True)
class Found:
    """What came out: medians over the rounds; None where there is nothing."""

    goal: Goal
    ours: float | None
    theirs: float | None
    ratios: tuple[float, ...]
    calls: tuple[float | None, float | None]
    problem: str | None = None

    @property
    def reached(self) -> bool | None:
        """None: not measured, or only shown."""
        goal = self.goal
        if goal.below is not None:
            return None if self.ours is None else self.ours <= goal.below
        if goal.ratio is None or not self.ratios:
            return None
        return median(self.ratios) >= goal.ratio


def read_goals(path: Path) -> list[Goal]:
    """The lines of targets.yaml, {n} filled in."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [
            goal
            for group in value["groups"]
            for entry in group["figures"]
            for goal in _expanded(group["title"], entry)
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"cannot be used: {error}", place=str(path)) from error


def _expanded(group: str, entry: Mapping[str, Any]) -> list[Goal]:
    unknown = set(entry) - _KEYS
    if unknown:
        raise ValueError(f"no figure has '{min(unknown)}'")
    return [_goal(group, entry, n) for n in entry.get("n", [None])]


def _goal(group: str, entry: Mapping[str, Any], n: int | None) -> Goal:
    def filled(text: str) -> str:
        name = text if n is None else text.replace("{n}", str(n))
        if not _NAME.fullmatch(name):
            raise ValueError(f"no benchmark is called '{name}'")
        return name

    clock = entry.get("clock", "cpu")
    if clock not in ("cpu", "real"):
        raise ValueError(f"no clock is called '{clock}'")
    shown = entry["title"] if n is None else entry["title"].replace(
        "{n}", f"{n:,}")
    return Goal(
        group=group,
        title=shown,
        bench=filled(entry["bench"]),
        theirs=filled(entry.get("theirs", entry["bench"])),
        plus=filled(entry["plus"]) if "plus" in entry else None,
        who=entry.get("who", "ref"),
        against=entry.get("against", "libuv"),
        ratio=entry.get("ratio"),
        below=entry.get("below"),
        real=clock == "real",
        limit=entry.get("limit"),
    )


@dataclass(frozen=True)
class _Pair:
    """Goals that are measured in one process."""

    who: str
    against: str
    goals: tuple[Goal, ...]

    @property
    def pattern(self) -> str:
        names = {goal.bench for goal in self.goals}
        names |= {goal.theirs for goal in self.goals}
        names |= {goal.plus for goal in self.goals if goal.plus}
        return f"^({'|'.join(sorted(names))})/impl:"


def _pairs(goals: Sequence[Goal]) -> list[_Pair]:
    keys = dict.fromkeys((goal.who, goal.against) for goal in goals)
    return [
        _Pair(who, against, tuple(
            goal for goal in goals if (goal.who, goal.against) == (who, against)
        ))
        for who, against in keys
    ]


def measure_goals(
    places: Places,
    goals: Sequence[Goal],
    providers: Mapping[str, Path],
    out: Path,
    rounds: int,
    min_time: float,
    bar: Callable[[str], Bar],
) -> list[Found]:
    """Measure all goals; `providers` says where each implementation is. The
    JSON of each round is kept in `out`."""
    found: dict[Goal, Found] = {}
    for pair in _pairs(goals):
        try:
            measures = [
                _round(places, pair, providers, out, number, min_time,
                       bar(f"{pair.who}, {pair.against}: round {number + 1}"))
                for number in range(rounds)
            ]
        except PlumblineError as error:
            problem = str(error).splitlines()[0]
            for goal in pair.goals:
                found[goal] = Found(goal, None, None, (), (None, None),
                                    problem)
            continue
        for goal in pair.goals:
            found[goal] = _found(goal, measures)
    return [found[goal] for goal in goals]


def _round(
    places: Places,
    pair: _Pair,
    providers: Mapping[str, Path],
    out: Path,
    number: int,
    min_time: float,
    bar: Bar,
) -> dict[str, Series]:
    order = [providers[pair.who], providers[pair.against]]
    if number % 2:
        order.reverse()
    file = out / f"ratios-{pair.who}-{pair.against}-{number + 1}.json"
    # System calls do not change from round to round.
    flags = ["--no-syscalls"] if number else []
    run_bench(places, order, file, pair.pattern, min_time, bar, flags)
    return dict(read_document(file).series)


@dataclass(frozen=True)
class _Side:
    """What one side took in a round: one benchmark, or two together."""

    time: float
    calls: float | None
    error: str | None


def _side(
    goal: Goal, series: Mapping[str, Series], bench: str, who: str
) -> _Side | None:
    names = [bench, goal.plus] if goal.plus else [bench]
    found = [series.get(f"{name}/impl:{who}") for name in names]
    parts = [one for one in found if one is not None]
    if len(parts) < len(found):
        return None
    error = next((one.error for one in parts if one.error), None)
    if error:
        return _Side(0, None, error)
    clock = "real" if goal.real else "cpu"
    calls = [one.counters.get("syscalls") for one in parts]
    known = [count for count in calls if count is not None]
    return _Side(
        sum(one.times(clock)[0] for one in parts),
        sum(known) if len(known) == len(calls) else None,
        None,
    )


def _found(goal: Goal, rounds: Sequence[Mapping[str, Series]]) -> Found:
    ours = [_side(goal, one, goal.bench, goal.who) for one in rounds]
    theirs = [_side(goal, one, goal.theirs, goal.against) for one in rounds]
    ratios = tuple(
        b.time / a.time
        for a, b in zip(ours, theirs)
        if a and b and not a.error and not b.error and a.time
    )
    return Found(
        goal,
        _median(ours),
        _median(theirs),
        ratios,
        (_calls(ours), _calls(theirs)),
        next((m.error for m in [*ours, *theirs] if m and m.error), None),
    )


def _median(sides: Sequence[_Side | None]) -> float | None:
    times = [side.time for side in sides if side and not side.error]
    return median(times) if times else None


def _calls(sides: Sequence[_Side | None]) -> float | None:
    first = sides[0] if sides else None
    return first.calls if first else None


def _shown(value: float | None, calls: float | None) -> Text:
    if value is None:
        return Text("–", "dim")
    text = Text(f"{value:,.0f} ns" if value >= 100 else f"{value:.3g} ns")
    if calls is not None:
        count = f"{calls:.3g}" if calls >= 0.0005 else "0"
        text.append(f" {count:>5}", "dim")
    return text


def _verdict(found: Found, notes: list[str]) -> Text:
    """Why not stands below the table, by number."""
    if found.problem:
        return Text(f"not measured {_note(found.problem, notes)}", "red")
    if found.reached is None:
        return Text("shown", "dim")
    if found.reached:
        return Text("reached", "green")
    limit = _note(found.goal.limit, notes) if found.goal.limit else ""
    return Text(f"not reached {limit}", "yellow")


def _note(text: str, notes: list[str]) -> str:
    if text not in notes:
        notes.append(text)
    return f"({notes.index(text) + 1})"


def _wanted(goal: Goal) -> str:
    if goal.below is not None:
        return f"≤ {goal.below:g} ns"
    return f"≥ {goal.ratio:g}" if goal.ratio is not None else ""


def _range(found: Found) -> str:
    if not found.ratios:
        return ""
    low, high = min(found.ratios), max(found.ratios)
    return f"{median(found.ratios):.3g} [{low:.3g}–{high:.3g}]"


def ratio_table(found: Sequence[Found]) -> Table:
    """A line per figure: both times, with the system calls of an operation
    behind them, the ratio and what is wanted."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0),
                  caption_justify="left", caption_style="dim")
    notes: list[str] = []
    table.add_column("time and system calls of one")
    for name in ("ours", "theirs", "ratio", "wanted"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    group = ""
    for one in found:
        if one.goal.group != group:
            group = one.goal.group
            table.add_row(Text(group, "bold"))
        table.add_row(
            f"  {one.goal.title}",
            _shown(one.ours, one.calls[0]),
            Text("") if one.goal.alone else _shown(one.theirs, one.calls[1]),
            _range(one), _wanted(one.goal), _verdict(one, notes),
        )
    if notes:
        table.caption = "\n".join(
            f"({number}) {note}" for number, note in enumerate(notes, 1))
    return table
