# SPDX-License-Identifier: MIT
"""The time lane: blocks of processes, two stages, a null and a canary.

    block    A B N C C N B A      A base   B what is here
    the next B A C N N C A B      N base again, which must be SAME
                                  C base with 15% more work: REGRESSED

Every process is another one, so its luck (the layout that it draws, caches,
neighbours) is another one; within a block each arm's processes lie around the same moment, so
a steady drift cancels. What a block gives is one difference per benchmark:
the mean logarithm of B's times less that of A's.

Invariant: blocks are never dropped; the second stage decides with blocks of
its own, and never with those that made it necessary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log, log1p
from pathlib import Path

from plumbline.measure import Planned, Record
from plumbline.measure._process import Crash
from plumbline.stats import Shift, holm, median, paired_shift
from plumbline.verdicts import (
    IMPROVED,
    INCONCLUSIVE,
    MARGIN,
    REGRESSED,
    SAME,
    Change,
    judge,
)

__all__ = ["Arm", "Proof", "TimeLane", "Timed", "measure_time"]

FIRST, SECOND = 8, 24  # blocks of the stages
CANARY = 15.0  # per cent
_PROOFS = 3  # benchmarks that the null and the canary run
_A, _B, _NULL, _CANARY = "A", "B", "null", "canary"
_ORDERS = ((_A, _B, _NULL, _CANARY), (_B, _A, _CANARY, _NULL))

Bar = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Arm:
    """One process's side: a library, and how much work is wasted on top."""

    name: str
    library: Path
    extra: float = 0.0


# Runs a plan in a process of its own (several, if one dies on the way).
Runner = Callable[
    [Arm, Sequence[Planned]], tuple[Sequence[Record], Sequence[Crash]]
]


@dataclass(frozen=True)
class Timed:
    """One benchmark: its change, or what kept it from having one. `pairs`
    has a (base, here) of nanoseconds per deciding block."""

    name: str
    version: int
    stage: int
    before: float
    after: float
    change: Change | None
    pairs: Sequence[tuple[float, float]]
    problem: str | None = None

    @property
    def verdict(self) -> str | None:
        return self.change.verdict if self.change else None


@dataclass(frozen=True)
class Proof:
    """Whether this run could tell equal from unequal."""

    null: Change | None
    canary: Change | None
    benchmarks: Sequence[str]
    blocks: int

    @property
    def faults(self) -> list[str]:
        if self.null is None or self.canary is None:
            return ["the self-proof could not be measured"]
        faults = []
        if self.null.verdict != SAME:
            faults.append(f"base against base is {self.null.verdict}, "
                          "not SAME")
        if self.canary.verdict != REGRESSED:
            faults.append(f"{CANARY:g}% more work is "
                          f"{self.canary.verdict}, not REGRESSED")
        return faults


@dataclass
class TimeLane:
    """What was measured so far; right at any time."""

    timed: list[Timed] = field(default_factory=list)
    proof: Proof | None = None
    records: dict[str, list[Record]] = field(default_factory=dict)
    blocks: int = 0


# One number per block and benchmark and arm: the mean of logarithms.
_Block = Mapping[tuple[str, str], float]


class _Lane:
    """The blocks of both stages."""

    def __init__(
        self, arms: Mapping[str, Sequence[Arm]], plan: Sequence[Planned],
        run: Runner, draw: random.Random, out: TimeLane,
    ) -> None:
        self.arms = arms
        self.plan = {one.name: one for one in plan}
        self.run = run
        self.draw = draw
        self.out = out
        self.problems: dict[str, str] = {}

    def block(
        self, number: int, names: Sequence[str], proofs: Sequence[str]
    ) -> _Block:
        order = _ORDERS[number % 2]
        logs: dict[tuple[str, str], list[float]] = {}
        for key in (*order, *reversed(order)):
            wanted = proofs if key in (_NULL, _CANARY) else list(
                dict.fromkeys((*names, *proofs)))
            for name, value in self.process(key, wanted):
                logs.setdefault((key, name), []).append(value)
        self.out.blocks += 1
        return {key: sum(v) / len(v) for key, v in logs.items()
                if len(v) == 2}

    def process(
        self, key: str, names: Sequence[str]
    ) -> list[tuple[str, float]]:
        """One process of an arm: (benchmark, logarithm of its time)."""
        mine = [self.plan[n] for n in names if n not in self.problems]
        if not mine:
            return []
        self.draw.shuffle(mine)
        records, crashes = self.run(self.draw.choice(self.arms[key]), mine)
        at = f"in block {self.out.blocks + 1}"
        for crash in crashes:
            self.problems[crash.name] = f"{key} {crash.how} {at}"
        found = []
        for record in records:
            if record.error or not record.cpu or min(record.cpu) <= 0:
                why = record.error or "its time is 0"
                self.problems[record.name] = f"{key}: {why} {at}"
                continue
            found.append((record.name, log(min(record.cpu))))
            if record.pauses and key in (_A, _B):
                self.out.records.setdefault(key, []).append(record)
        missing = {p.name for p in mine} - {r.name for r in records} - {
            c.name for c in crashes}
        for name in missing:
            self.problems[name] = f"{key} did not measure it {at}"
        return found

    def blocks(
        self, count: int, names: Sequence[str], proofs: Sequence[str],
        bar: Bar,
    ) -> list[_Block]:
        found = []
        for number in range(count):
            bar(number, count)
            found.append(self.block(number, names, proofs))
        bar(count, count)
        return found


def _differences(
    blocks: Sequence[_Block], before: str, after: str, name: str
) -> list[float]:
    return [b[after, name] - b[before, name] for b in blocks
            if (before, name) in b and (after, name) in b]


def _pooled(
    blocks: Sequence[_Block], after: str, names: Sequence[str]
) -> Shift | None:
    """The shift of an arm against A, over all proofs: a block's difference
    is the mean of theirs."""
    found = []
    for block in blocks:
        apart = [block[after, n] - block[_A, n] for n in names
                 if (after, n) in block and (_A, n) in block]
        if apart:
            found.append(sum(apart) / len(apart))
    return paired_shift(found) if found else None


def _proof(blocks: Sequence[_Block], names: Sequence[str]) -> Proof:
    null = _pooled(blocks, _NULL, names)
    canary = _pooled(blocks, _CANARY, names)
    return Proof(judge(null) if null else None,
                 judge(canary) if canary else None, tuple(names),
                 len(blocks))


def _timed(
    lane: _Lane, blocks: Sequence[_Block], name: str, stage: int,
    margin: float, probability: float | None = None,
) -> Timed:
    """The verdict of one benchmark."""
    from math import exp

    apart = _differences(blocks, _A, _B, name)
    pairs = [(exp(b[_A, name]), exp(b[_B, name])) for b in blocks
             if (_A, name) in b and (_B, name) in b]
    problem = lane.problems.get(name)
    change = None
    if problem is None:
        change = judge(paired_shift(apart), margin, probability)
    return Timed(
        name, lane.plan[name].version, stage,
        median(a for a, _ in pairs) if pairs else 0.0,
        median(b for _, b in pairs) if pairs else 0.0,
        change, tuple(pairs), problem)


def _proofs(plan: Sequence[Planned]) -> list[str]:
    """The benchmarks that prove: those that cost least, for they run twice
    as often as the others."""
    return [p.name for p in sorted(plan, key=lambda p: p.cost)[:_PROOFS]]


def measure_time(
    base: Sequence[Path],
    here: Sequence[Path],
    plan: Sequence[Planned],
    run: Runner,
    make_bar: Callable[[str], Bar],
    out: TimeLane,
    *,
    margin: float = MARGIN,
    injected: float = 0.0,
    stages: tuple[int, int] = (FIRST, SECOND),
    seed: int = 1,
) -> TimeLane:
    """Measure into `out`. `base` and `here` are the layouts of each side;
    `injected` is a percentage of work that is wasted on what is here, to see
    whether the gate sees it."""
    sides = ((_A, base, 0.0), (_B, here, injected), (_NULL, base, 0.0),
             (_CANARY, base, CANARY))
    arms = {key: [Arm(key, layout, extra) for layout in layouts]
            for key, layouts, extra in sides}
    lane = _Lane(arms, plan, run, random.Random(seed), out)
    names, proofs = [p.name for p in plan], _proofs(plan)
    first = lane.blocks(stages[0], names, proofs, make_bar("stage 1"))
    proof = _proof(first, proofs)
    wider = margin + _off(proof)
    out.timed = [_timed(lane, first, n, 1, wider) for n in names]
    suspects = [t.name for t in out.timed
                if t.change is not None and t.verdict != SAME]
    out.proof = proof
    if suspects or proof.faults:
        _second(lane, suspects, proofs, stages[1], margin, make_bar)
    out.timed = [replace(t, change=None, problem=lane.problems[t.name])
                 if t.name in lane.problems else t for t in out.timed]
    return out


def _off(proof: Proof) -> float:
    """How far equal things lay apart."""
    return abs(log1p(proof.null.estimate)) if proof.null else 0.0


def _second(
    lane: _Lane, suspects: Sequence[str], proofs: Sequence[str], count: int,
    margin: float, make_bar: Callable[[str], Bar],
) -> None:
    """Fresh blocks for the suspects; one verdict for all looks together."""
    blocks = lane.blocks(count, suspects, proofs,
                         make_bar(f"stage 2: {len(suspects)} suspects"))
    proof = _proof(blocks, proofs)
    lane.out.proof = proof
    wider = margin + _off(proof)
    alive = [n for n in suspects if n not in lane.problems]
    corrected = dict(zip(alive, holm([
        paired_shift(_differences(blocks, _A, _B, n)).above(wider)
        for n in alive
    ])))
    again = {n: _timed(lane, blocks, n, 2, wider, corrected.get(n))
             for n in suspects}
    lane.out.timed = [again.get(t.name, t) for t in lane.out.timed]


# What a caller may want to sort by.
ORDER = (REGRESSED, INCONCLUSIVE, IMPROVED, SAME)
