# SPDX-License-Identifier: MIT
"""The latency lane: pauses and lateness of both sides, as percentiles and as
mutator utilization. On the wall clock it advises only; on the logical clock
its worst values are counters of the exact lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.measure import Record
from plumbline.stats import Histogram, Pauses, mmu

__all__ = ["Latency", "QUANTILES", "latencies", "widths"]

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
_WINDOWS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # shares of the span


@dataclass(frozen=True)
class Latency:
    """One benchmark on one clock."""

    name: str
    clock: str
    before: Histogram
    after: Histogram
    # (window, utilization before, after)
    utilization: Sequence[tuple[int, float, float]]

    def quantiles(self) -> list[tuple[float, int, int]]:
        return [(q, self.before.quantile(q), self.after.quantile(q))
                for q in QUANTILES]


def widths(span: int) -> list[int]:
    """Windows for a curve: from a thousandth of the span to all of it."""
    return sorted({max(1, round(span * share)) for share in _WINDOWS})


def _pauses(records: Sequence[Record], name: str, clock: str
            ) -> list[Pauses]:
    return [p for r in records if r.name == name
            for p in r.pauses if p.clock == clock and p.list]


def _curve(before: Pauses, after: Pauses) -> list[tuple[int, float, float]]:
    """Of the last process of each side, at the same windows."""
    if not before.span or not after.span:
        return []
    windows = widths(min(before.span, after.span))
    return list(zip(windows, mmu(before, windows), mmu(after, windows)))


def latencies(
    before: Sequence[Record], after: Sequence[Record]
) -> list[Latency]:
    """Everything that both sides have pauses of."""
    keys = dict.fromkeys(
        (r.name, p.clock) for r in before for p in r.pauses)
    found = []
    for name, clock in keys:
        early = _pauses(before, name, clock)
        late = _pauses(after, name, clock)
        if not early or not late:
            continue
        found.append(Latency(
            name, clock,
            sum((Histogram.of(n for _, n in p.list) for p in early),
                Histogram()),
            sum((Histogram.of(n for _, n in p.list) for p in late),
                Histogram()),
            _curve(early[-1], late[-1])))
    return found
