# SPDX-License-Identifier: MIT
"""Pictures of a gate run: the forest of changes, and the paired blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from plumbline.report.performance._figure import Figure, colour, draw

__all__ = ["forest", "paired"]

_COLOUR = {"REGRESSED": "bad", "IMPROVED": "pass", "SAME": "soft",
           "INCONCLUSIVE": "known"}
_MARK = {"REGRESSED": "s", "IMPROVED": "D", "SAME": "o", "INCONCLUSIVE": "v"}
_WIDEST = 60.0  # per cent; what reaches further ends in an arrow


def _rows(gate: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """From top to bottom: the proof, then the slowest first."""
    proof = gate["proof"] or {}
    rows = [(name, proof[key]) for name, key in (
        ("base against base", "null"), ("15% more work", "canary"))
        if proof.get(key)]
    timed = [t for t in gate["time"] if t["change"]]
    timed.sort(key=lambda t: float(-t["change"]["estimate"]))
    return rows + [(t["name"], t["change"]) for t in timed]


def _bound(value: float | None, instead: float) -> float:
    return instead if value is None or not isfinite(value) else max(
        -_WIDEST, min(_WIDEST, 100 * value))


def forest(gate: Mapping[str, Any]) -> Figure | None:
    """Every change with its 99% bounds, and the margin as a band."""
    rows = _rows(gate)
    if not rows:
        return None
    margin = 100 * max(change["margin"] for _, change in rows)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.axvspan(-margin, margin, color=colour("rule"), alpha=0.45,
                     linewidth=0)
        axes.axvline(0, color=colour("soft"), linewidth=0.8)
        for place, (_, change) in enumerate(reversed(rows)):
            shade = colour(_COLOUR[change["verdict"]])
            low = _bound(change["lower"], -_WIDEST)
            high = _bound(change["upper"], _WIDEST)
            axes.plot([low, high], [place, place], color=shade)
            axes.plot([_bound(change["estimate"], 0)], [place],
                      marker=_MARK[change["verdict"]], color=shade)
        axes.set_yticks(range(len(rows)),
                        [name for name, _ in reversed(rows)])
        axes.set_xlabel("change of CPU time, per cent; right is slower")
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.grid(axis="x")

    told = "; ".join(
        f"{name} {100 * change['estimate']:+.1f}% {change['verdict']}"
        for name, change in rows)
    return draw(
        "forest", "Changes with 99% bounds",
        f"A row per benchmark with its estimate and bounds; the band is the "
        f"margin of {margin:.1f}%. {told}.",
        gate["command"], [{"name": n, **c} for n, c in rows], paint,
        height=1.0 + 0.28 * len(rows))


def paired(gate: Mapping[str, Any]) -> Figure | None:
    """The blocks that decided: base and here, joined."""
    timed = [t for t in gate["time"] if t["pairs"]]
    if not timed:
        return None
    columns = min(4, len(timed))
    lines = -(-len(timed) // columns)

    def paint(figure: Any) -> None:
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes in grid.flat[len(timed):]:
            axes.set_visible(False)
        for axes, one in zip(grid.flat, timed):
            _pair(axes, one)

    return draw(
        "paired", "The blocks behind each verdict",
        "Each line is a block: the base's time on the left, that of here on "
        "the right. Lines that all lean one way are a change; lines that "
        "cross are noise. "
        + "; ".join(f"{t['name']}: {len(t['pairs'])} blocks, "
                    f"{_slower(t['pairs'])} of them slower" for t in timed)
        + ".",
        gate["command"],
        [{"name": t["name"], "pairs": t["pairs"]} for t in timed], paint,
        width=2.2 * columns + 0.4, height=1.9 * lines)


def _slower(pairs: Sequence[Sequence[float]]) -> int:
    return sum(late > early for early, late in pairs)


def _pair(axes: Any, one: Mapping[str, Any]) -> None:
    verdict = one["change"]["verdict"] if one["change"] else "SAME"
    shade = colour(_COLOUR[verdict])
    for early, late in one["pairs"]:
        axes.plot([0, 1], [early, late], color=shade, alpha=0.5,
                  linewidth=0.8, marker="o", markersize=2.5)
    name = one["name"].split("/", 1)[-1]
    axes.set_title(f"{name}\n{verdict if one['change'] else ''}",
                   fontsize=7)
    axes.set_xticks([0, 1], ["base", "here"])
    axes.set_xlim(-0.3, 1.3)
    axes.tick_params(labelsize=7)
    axes.set_ylabel("ns", fontsize=7)
