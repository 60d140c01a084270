# SPDX-License-Identifier: MIT
"""Refreshes the tables of a Markdown file with what `bench --ratios` found.

Invariant: only rows change whose first cell is a figure's title, below the
heading that is its group; what people wrote around them stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from plumbline.ratios import Found

__all__ = ["refreshed", "row_of"]


def _ratio(found: Found) -> str:
    if not found.ratios:
        return ""
    low, high = min(found.ratios), max(found.ratios)
    return f"{median(found.ratios):.3g} [{low:.3g}–{high:.3g}]"


def _wanted(found: Found) -> str:
    goal = found.goal
    if goal.below is not None:
        return f"≤ {goal.below:g} ns"
    return f"≥ {goal.ratio:g}" if goal.ratio is not None else ""


def _time(value: float | None, calls: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if calls is None:
        return text
    return f"{text} ({calls:.3g})" if calls >= 0.0005 else f"{text} (0)"


def _verdict(found: Found) -> str:
    if found.problem:
        return "**not measured**"
    if found.reached is None:
        return "shown"
    return "reached" if found.reached else "**not reached**"


def row_of(found: Found) -> str:
    """The figure as a row of a table."""
    theirs = "" if found.goal.alone else _time(found.theirs, found.calls[1])
    cells = (found.goal.title, _wanted(found), _ratio(found),
             _time(found.ours, found.calls[0]), theirs, _verdict(found))
    return "|" + "|".join(f" {cell} " for cell in cells) + "|"


def refreshed(
    text: str, found: Sequence[Found]
) -> tuple[str, tuple[str, ...]]:
    """The text with the rows of these figures, and the titles that have no
    row in it."""
    rows = {(one.goal.group, one.goal.title): row_of(one) for one in found}
    lines = []
    group = ""
    for line in text.split("\n"):
        if line.startswith("## "):
            group = line[3:].strip()
        title = line[1:].split("|")[0].strip() if line.startswith("|") else ""
        lines.append(rows.pop((group, title), line))
    return "\n".join(lines), tuple(title for _, title in rows)
