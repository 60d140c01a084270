# SPDX-License-Identifier: MIT
"""Medians, exact distributions of rank sums, and Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb, erf, sqrt
from statistics import median

__all__ = ["holm", "median", "signed_rank_below", "rank_sum_below"]

_EXACT = 400  # up to so many terms a distribution is counted out


@lru_cache(maxsize=64)
def _signed_rank_counts(n: int) -> tuple[int, ...]:
    """How many subsets of 1..n have each sum."""
    counts = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(len(counts) - 1, rank - 1, -1):
            counts[total] += counts[total - rank]
    return tuple(counts)


@lru_cache(maxsize=64)
def _rank_sum_counts(n: int, m: int) -> tuple[int, ...]:
    """How many orders of n and m values have each number of inversions: the
    coefficients of the Gaussian binomial."""
    counts = [1] + [0] * (n * m)
    for k in range(1, n + 1):
        for total in range(len(counts) - 1, m + k - 1, -1):
            counts[total] -= counts[total - m - k]
        for total in range(k, len(counts)):
            counts[total] += counts[total - k]
    return tuple(counts)


def _normal(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def signed_rank_below(n: int, value: int) -> float:
    """P(T <= value) of Wilcoxon's signed-rank statistic of n differences that
    are symmetric around 0."""
    if value < 0:
        return 0.0
    if n <= 60:
        counts = _signed_rank_counts(n)
        return float(sum(counts[: value + 1]) / 2**n)
    mean = n * (n + 1) / 4
    deviation = sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return _normal((value + 0.5 - mean) / deviation)


def rank_sum_below(n: int, m: int, value: int) -> float:
    """P(U <= value) of Mann and Whitney's statistic of n and m values of one
    distribution."""
    if value < 0:
        return 0.0
    if n * m <= _EXACT:
        counts = _rank_sum_counts(n, m)
        return sum(counts[: value + 1]) / comb(n + m, n)
    deviation = sqrt(n * m * (n + m + 1) / 12)
    return _normal((value + 0.5 - n * m / 2) / deviation)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Holm's adjusted probabilities, in the order of the input: what stays
    below a level there may be called significant, all of them at once."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    adjusted = [0.0] * len(probabilities)
    greatest = 0.0
    for position, index in enumerate(order):
        scaled = probabilities[index] * (len(order) - position)
        greatest = min(1.0, max(greatest, scaled))
        adjusted[index] = greatest
    return adjusted
