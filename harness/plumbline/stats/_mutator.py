# SPDX-License-Identifier: MIT
"""Minimum mutator utilization: in the worst window of a width, which share
is left to the program.

A window that is worst begins with a pause or ends with one, so these are the
only ones looked at (Cheng and Blelloch, 2001).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["Pauses", "mmu"]


@dataclass(frozen=True)
class Pauses:
    """Pauses of one clock as (begin, length), in order; `span` is how long
    the program ran on that clock, None where that is not known."""

    clock: str
    span: int | None
    list: Sequence[tuple[int, int]]


def _merged(pauses: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Begins and ends; pauses that overlap are one."""
    merged: list[tuple[int, int]] = []
    for begin, length in sorted(pauses):
        end = begin + length
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def mmu(pauses: Pauses, widths: Sequence[int]) -> list[float]:
    """The utilization of the worst window of each width, from 0 to 1; windows
    that do not fit into the span are as wide as it is."""
    if pauses.span is None or pauses.span <= 0:
        raise ValueError("utilization needs a span")
    merged = _merged(pauses.list)
    begins = [begin for begin, _ in merged]
    ends = [end for _, end in merged]
    before = [0, *accumulate(end - begin for begin, end in merged)]

    def paused(start: int, end: int) -> int:
        """How much of [start, end) is pause."""
        first = bisect_right(ends, start)
        last = bisect_left(begins, end)
        if first >= last:
            return 0
        whole = before[last] - before[first]
        return (whole - max(0, start - begins[first])
                - max(0, ends[last - 1] - end))

    def worst(width: int) -> float:
        width = min(width, pauses.span or 0)
        latest = (pauses.span or 0) - width
        starts = [min(begin, latest) for begin in begins]
        starts += [max(0, min(end - width, latest)) for end in ends]
        most = max((paused(s, s + width) for s in starts), default=0)
        return max(0.0, 1 - most / width)

    return [worst(width) for width in widths]
