# SPDX-License-Identifier: MIT
"""The overview's numbers: areas against implementations, levels apart.

Every implementation has the same denominator in a row: the cases that any of
the results files has. What one of them did not run is counted against it as
"not run" and never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.results import CaseResult, Results
from plumbline.summary import LEVELS

__all__ = ["Cell", "Line", "overview"]

# kind: what it is called in the page, in the order of a bar's segments
KINDS = {
    "pass": "pass",
    "unexpected": "unexpected",
    "known": "known failure",
    "differs": "differs",
    "inconclusive": "inconclusive",
    "unsupported": "unsupported",
    "absent": "not run",
}


@dataclass(frozen=True)
class Cell:
    """One implementation's share of a line."""

    passed: int
    counted: int
    # (kind, its name, how many, per cent of the bar), none of them empty
    parts: Sequence[tuple[str, str, int, float]]

    @property
    def unexpected(self) -> int:
        return next((n for k, _, n, _ in self.parts if k == "unexpected"), 0)


@dataclass(frozen=True)
class Line:
    """One line of the overview: an area, or one level of it."""

    area: str
    level: str
    cells: Sequence[Cell]


def _kind(case: CaseResult | None) -> str:
    if case is None:
        return "absent"
    if case.unexpected:
        return "unexpected"
    return case.verdict if case.verdict in KINDS else "known"


def _cell(ids: Sequence[str], results: Results, disputed: set[str]) -> Cell:
    kinds = [_kind(results.cases.get(i)) for i in ids if i not in disputed]
    parts = [
        (kind, name, kinds.count(kind), 100 * kinds.count(kind) / len(kinds))
        for kind, name in KINDS.items()
        if kind in kinds
    ]
    return Cell(kinds.count("pass"), len(kinds), parts)


def overview(all_results: Sequence[Results]) -> list[Line]:
    """A line per area, followed by one per level; the first line is the total
    where there are several areas."""
    cases = {i: c for r in reversed(all_results) for i, c in r.cases.items()}
    disputed = {
        i for r in all_results for i, c in r.cases.items()
        if c.verdict == "disputed"
    }

    def line(area: str, level: str) -> Line:
        ids = [
            i for i, c in cases.items()
            if area in ("", c.area) and level in ("", c.level)
        ]
        return Line(area, level, [_cell(ids, r, disputed)
                                  for r in all_results])

    areas = sorted({case.area for case in cases.values()})
    lines = [line("", "")] if len(areas) > 1 else []
    for area in areas:
        lines.append(line(area, ""))
        levels = [
            level for level in LEVELS
            if any(c.area == area and c.level == level
                   for c in cases.values())
        ]
        lines += [line(area, level) for level in levels]
    return lines
