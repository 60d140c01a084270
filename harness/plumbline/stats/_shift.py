# SPDX-License-Identifier: MIT
"""How far one set of values lies from another: Hodges and Lehmann's estimate
with one-sided bounds from order statistics.

Invariant: no distribution is assumed but symmetry of paired differences, or
one shape of two samples; where there are too few values for a bound, it is
infinite, and never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from plumbline.stats._order import (
    median,
    rank_sum_below,
    signed_rank_below,
)

__all__ = ["Shift", "paired_shift", "two_sample_shift"]


@dataclass(frozen=True)
class Shift:
    """An estimate; below `lower`, and above `upper`, it lies with the
    probability 1 - confidence each."""

    estimate: float
    lower: float
    upper: float
    confidence: float
    pairs: Sequence[float]  # sorted; what the estimate is the median of
    below: Callable[[int], float]  # P(so many of the pairs or fewer below)

    def above(self, value: float) -> float:
        """The probability of a sample like this one, or more so, if the true
        shift were `value` or less."""
        return self._tail(sum(pair <= value for pair in self.pairs))

    def under(self, value: float) -> float:
        """The same if it were `value` or more."""
        return self._tail(sum(pair >= value for pair in self.pairs))

    def _tail(self, count: int) -> float:
        return min(1.0, self.below(count))


def _shift(
    pairs: Sequence[float], below: Callable[[int], float], confidence: float
) -> Shift:
    ordered = sorted(pairs)
    outside = -1  # how many pairs at each end the bounds leave out, less one
    while (outside + 1 < len(ordered)
           and below(outside + 1) <= 1 - confidence):
        outside += 1
    if outside < 0:
        lower, upper = -inf, inf
    else:
        lower, upper = ordered[outside], ordered[-1 - outside]
    return Shift(median(ordered), lower, upper, confidence, ordered, below)


def paired_shift(
    differences: Sequence[float], confidence: float = 0.99
) -> Shift:
    """The shift of paired values, from their differences (Walsh averages).
    At 99% seven pairs are the fewest that give finite bounds."""
    n = len(differences)
    if n == 0:
        raise ValueError("a shift needs a difference")
    walsh = [
        (differences[i] + differences[j]) / 2
        for i in range(n) for j in range(i, n)
    ]
    return _shift(walsh, lambda count: signed_rank_below(n, count),
                  confidence)


def two_sample_shift(
    before: Sequence[float], after: Sequence[float],
    confidence: float = 0.99,
) -> Shift:
    """The shift of `after` against `before`, which are not paired. At 99%
    four values against five are the fewest that give finite bounds."""
    n, m = len(before), len(after)
    if n == 0 or m == 0:
        raise ValueError("a shift needs values on both sides")
    pairs = [late - early for early in before for late in after]
    return _shift(pairs, lambda count: rank_sum_below(n, m, count),
                  confidence)
