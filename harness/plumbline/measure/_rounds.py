# SPDX-License-Identifier: MIT
"""Implementations side by side, in rounds.

In a round every implementation has a process of its own that runs its
benchmarks in an order drawn anew; the next round takes the implementations
the other way round. So what drifts, drifts for all.

Invariant: a benchmark that crashed or failed is left out of later rounds, and
costs nobody else a time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import expm1, log
from pathlib import Path

from plumbline.measure._adapter import bench_adapter
from plumbline.measure._plan import Planned, calibrate
from plumbline.measure._process import Crash, Record, run_planned
from plumbline.measure._programs import Program, run_program
from plumbline.registry import Target
from plumbline.stats import median

__all__ = ["Amount", "Contender", "Rounds", "measure_rounds", "spread"]

Bar = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Contender:
    """One implementation: a provider's own name, or an adapter."""

    label: str
    target: Target
    names: Sequence[str] = ()  # what a provider offers
    speaks: str = ""  # what plumb-bench calls it
    programs: Sequence[Program] = ()


@dataclass
class Rounds:
    """What was measured so far."""

    rounds: list[list[Record]] = field(default_factory=list)
    problems: list[Crash] = field(default_factory=list)


@dataclass(frozen=True)
class Amount:
    """How much is measured: seconds of a sample, rounds, and the time after
    which no further round begins."""

    rounds: int = 5
    target: float = 0.003
    limit: float = 0.25
    budget: float | None = None
    syscalls: bool = True


def spread(
    rounds: Sequence[Sequence[Record]], implementations: Collection[str]
) -> float | None:
    """The A/A spread: by which share the times of a round and of the next lie
    apart, of the same benchmark on the same implementation, in the median;
    None with one round."""
    tables = [
        {(r.name, r.implementation): min(r.cpu) for r in records
         if not r.error and min(r.cpu) > 0
         and r.implementation in implementations}
        for records in rounds
    ]
    apart = [
        abs(log(late[key] / early[key]))
        for early, late in zip(tables, tables[1:])
        for key in early if key in late
    ]
    return expm1(median(apart)) if apart else None


def run_surviving(
    bench: Path,
    provider: Path,
    lines: Mapping[str, str],
    implementation: str,
    *,
    syscalls: bool = False,
    extra: float = 0.0,
) -> tuple[list[Record], list[Crash]]:
    """Run a plan to its end, whoever dies on the way; `lines` by name."""
    left = dict(lines)
    records: list[Record] = []
    crashes: list[Crash] = []
    while left:
        process = run_planned(bench, [provider], list(left.values()),
                              syscalls=syscalls, extra=extra)
        records += process.records
        for record in process.records:
            left.pop(record.name, None)
        if process.crash is None:
            break
        crashes.append(Crash(process.crash.name, implementation,
                             process.crash.how))
        left.pop(process.crash.name, None)
    return records, crashes


def _as(label: str, records: Sequence[Record]) -> list[Record]:
    return [replace(record, implementation=label) for record in records]


class _Round:
    """What the rounds of one measurement have in common."""

    def __init__(self, bench: Path, amount: Amount, out: Rounds) -> None:
        self.bench = bench
        self.amount = amount
        self.out = out
        self.bad: set[tuple[str, str]] = set()

    def note(self, crashes: Sequence[Crash]) -> None:
        self.out.problems += crashes
        self.bad |= {(c.name, c.implementation) for c in crashes}

    def provider(
        self, one: Contender, plan: Sequence[Planned], first: bool,
        draw: random.Random,
    ) -> list[Record]:
        assert one.target.provider
        mine = [p for p in plan if (p.name, one.label) not in self.bad]
        draw.shuffle(mine)
        records, crashes = run_surviving(
            self.bench, one.target.provider,
            {p.name: p.line(one.speaks) for p in mine}, one.label,
            syscalls=first and self.amount.syscalls)
        self.note(crashes)
        records = _as(one.label, records)
        self.bad |= {(r.name, r.implementation) for r in records if r.error}
        return records

    def plan(
        self, one: Contender, make_bar: Callable[[str], Bar]
    ) -> list[Planned]:
        """Tries what a provider offers."""
        assert one.target.provider
        plan, refused = calibrate(
            self.bench, one.target.provider, one.speaks, one.names,
            make_bar(f"{one.label}: trying"),
            target=self.amount.target, limit=self.amount.limit)
        self.note([replace(r, implementation=one.label)
                   for r in refused if isinstance(r, Crash)])
        failed = [r for r in refused if isinstance(r, Record)]
        if failed:
            self.out.rounds.append(_as(one.label, failed))
        return plan

    def adapter(
        self, one: Contender, versions: Mapping[str, int], progress: Bar
    ) -> list[Record]:
        bad = [name for name, label in self.bad if label == one.label]
        # Its compiler needs longer than its clock does.
        ms = max(60, round(self.amount.target * 5 * 1000))
        records, crashes = bench_adapter(one.target, one.label, versions, ms,
                                         progress, bad)
        self.note(crashes)
        return records

    def programs(self, one: Contender) -> list[Record]:
        records: list[Record] = []
        for program in one.programs:
            if (program.name, program.implementation) in self.bad:
                continue
            found = run_program(program, one.target.env)
            if isinstance(found, Crash):
                self.note([found])
            else:
                records.append(found)
        return records


def measure_rounds(
    bench: Path,
    contenders: Sequence[Contender],
    amount: Amount,
    make_bar: Callable[[str], Bar],
    out: Rounds,
    seed: int = 1,
) -> Rounds:
    """Measure into `out`, which is right at any time: who is interrupted
    keeps what was measured."""
    begun = time.monotonic()
    draw = random.Random(seed)
    common = _Round(bench, amount, out)
    plans: dict[str, list[Planned]] = {}
    versions: dict[str, int] = {}
    for one in contenders:
        if one.target.provider is not None:
            plans[one.label] = common.plan(one, make_bar)
            versions.update({p.name: p.version for p in plans[one.label]})
        versions.update({p.name: p.version for p in one.programs})
    bar = make_bar("rounds")
    longest = 0.0
    for number in range(amount.rounds):
        bar(number, amount.rounds)
        started = time.monotonic()
        if (number and amount.budget is not None
                and started - begun + longest > amount.budget):
            break
        records: list[Record] = []
        out.rounds.append(records)
        order = contenders if number % 2 == 0 else contenders[::-1]
        for one in order:
            if one.target.provider is not None:
                records += common.provider(one, plans[one.label],
                                           number == 0, draw)
            else:
                records += common.adapter(one, versions,
                                          lambda done, total: None)
            records += common.programs(one)
        longest = max(longest, time.monotonic() - started)
    bar(amount.rounds, amount.rounds)
    return out
