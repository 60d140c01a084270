# SPDX-License-Identifier: MIT
"""Where a series of values changes: the L1 Potts model.

Of all ways to cut a series into stretches, the one is chosen that makes the
sum of |value - median of its stretch| plus a price per cut least; exactly, by
dynamic programming. (So does asv; the price is ours.) The price grows with
the noise, which is read off neighbours, so it is the same for a series with
steps as for one without.

Invariant: no stretch is shorter than `least` values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heappushpop
from math import inf, log

from plumbline.stats._order import median

__all__ = ["Segment", "segments"]

_PRICE = 3.0  # in units of noise x log(n): see the test of false alarms


@dataclass(frozen=True)
class Segment:
    """A stretch of a series: from `begin`, before `end`."""

    begin: int
    end: int
    level: float


def _noise(values: Sequence[float]) -> float:
    """The mean distance of a value from its level: neighbours lie twice a
    level's spread apart in the square, so 1/sqrt(2) of their distance."""
    apart = [abs(b - a) for a, b in zip(values, values[1:])]
    middle = median(apart) if apart else 0.0
    # Of a series that hardly ever moves, the median is 0: then the mean
    # speaks, and where that is 0 too, any price will do.
    return 0.84 * (middle or sum(apart) / len(apart) / 4 if apart else 0.0)


def _costs(values: Sequence[float], end: int) -> list[float]:
    """For each begin before `end`: the sum of distances from the median."""
    costs = [0.0] * end
    low: list[float] = []  # the lesser half, negated: a heap of the greatest
    high: list[float] = []
    low_sum = high_sum = 0.0
    for begin in range(end - 1, -1, -1):
        moved = -heappushpop(low, -values[begin])
        low_sum += values[begin] - moved
        heappush(high, moved)
        high_sum += moved
        if len(high) > len(low):
            moved = heappop(high)
            heappush(low, -moved)
            low_sum += moved
            high_sum -= moved
        middle = -low[0]
        costs[begin] = (high_sum - middle * len(high)
                        + middle * len(low) - low_sum)
    return costs


def segments(values: Sequence[float], least: int = 4) -> list[Segment]:
    """The stretches of a series, in order; one where nothing changes."""
    n = len(values)
    if n == 0:
        return []
    price = _PRICE * _noise(values) * log(max(n, 2))
    best = [0.0] + [inf] * n
    cut = [0] * (n + 1)
    for end in range(least, n + 1):
        for begin, cost in enumerate(_costs(values, end)[: end - least + 1]):
            total = best[begin] + cost + (price if begin else 0.0)
            if total < best[end]:
                best[end], cut[end] = total, begin
    found: list[Segment] = []
    end = n
    while end > 0:
        begin = cut[end]
        found.append(Segment(begin, end, median(values[begin:end])))
        end = begin
    return found[::-1]
