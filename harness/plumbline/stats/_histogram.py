# SPDX-License-Identifier: MIT
"""A log-linear histogram: counts in buckets that grow with the value.

    0 1 2 ... 63 | 64 66 68 ... 126 | 128 132 ... 252 | 256 264 ...
    width 1      | width 2          | width 4         | width 8

Invariant: a value's bucket begins less than 1/32 below it, whatever the
value; the greatest and least values are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Histogram"]

_BITS = 6
_HALF = 1 << (_BITS - 1)


def _floor(value: int) -> int:
    """Where the bucket of a value begins."""
    spare = max(0, value.bit_length() - _BITS)
    return value >> spare << spare


def _width(floor: int) -> int:
    return 1 << max(0, floor.bit_length() - _BITS)


@dataclass(frozen=True)
class Histogram:
    """Counts of whole numbers that are not negative."""

    counts: Mapping[int, int] = field(default_factory=dict)
    least: int = 0
    most: int = 0

    @staticmethod
    def of(values: Iterable[int]) -> Histogram:
        counts: dict[int, int] = {}
        least: int | None = None
        most = 0
        for value in values:
            if value < 0:
                raise ValueError(f"a histogram has no place for {value}")
            floor = _floor(value)
            counts[floor] = counts.get(floor, 0) + 1
            least = value if least is None else min(least, value)
            most = max(most, value)
        return Histogram(dict(sorted(counts.items())), least or 0, most)

    def __add__(self, other: Histogram) -> Histogram:
        if not self.counts or not other.counts:
            return self if self.counts else other
        counts = dict(self.counts)
        for floor, count in other.counts.items():
            counts[floor] = counts.get(floor, 0) + count
        return Histogram(dict(sorted(counts.items())),
                         min(self.least, other.least),
                         max(self.most, other.most))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """(first value, first value behind it, count), ascending."""
        for floor, count in self.counts.items():
            yield floor, floor + _width(floor), count

    def quantile(self, share: float) -> int:
        """The value that `share` of all are not above, as the greatest of
        its bucket, and never more than the greatest of all."""
        if not self.counts:
            raise ValueError("nothing was counted")
        wanted = share * self.total
        seen = 0
        for _, end, count in self.buckets():
            seen += count
            if seen >= wanted:
                return max(self.least, min(end - 1, self.most))
        return self.most

    def to_json(self) -> dict[str, object]:
        return {"least": self.least, "most": self.most,
                "counts": [[k, v] for k, v in self.counts.items()]}

    @staticmethod
    def from_json(value: Mapping[str, Sequence[Sequence[int]] | int]
                  ) -> Histogram:
        counts, least, most = value["counts"], value["least"], value["most"]
        if (isinstance(counts, int) or not isinstance(least, int)
                or not isinstance(most, int)):
            raise ValueError("this is no histogram")
        table = {int(floor): int(count) for floor, count in counts}
        if any(_floor(k) != k or n < 1 for k, n in table.items()):
            raise ValueError("a bucket begins where none does")
        return Histogram(dict(sorted(table.items())), least, most)
