# SPDX-License-Identifier: MIT
"""Pauses: histograms, percentiles on an axis of 1/(1-q), and utilization.

On that axis each step to the right is ten times rarer, so the tail has as
much room as the middle; it ends where there was one pause.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.gate._latency import widths
from plumbline.measure import Document
from plumbline.report.performance._figure import (
    MARKERS,
    SERIES,
    Figure,
    colour,
    draw,
    legend,
)
from plumbline.stats import Histogram, mmu

__all__ = ["Lines", "latency_figures", "lines_of"]

_UNIT = {"wall": "ns", "logical": "units of work"}


@dataclass(frozen=True)
class Lines:
    """One benchmark on one clock: a histogram and a curve of utilization
    per implementation or side."""

    name: str
    clock: str
    histograms: Mapping[str, Histogram]
    utilization: Mapping[str, Sequence[tuple[int, float]]]
    command: str


def lines_of(
    documents: Sequence[Document], gate: Mapping[str, Any] | None
) -> list[Lines]:
    """Everything with pauses, of benches and of a gate."""
    found: dict[tuple[str, str], Lines] = {}
    for document in documents:
        for series in document.series.values():
            for pauses in series.pauses:
                curve: list[tuple[int, float]] = []
                if pauses.span:
                    windows = widths(pauses.span)
                    curve = list(zip(windows, mmu(pauses, windows)))
                key = series.name, pauses.clock
                old = found.get(key) or Lines(*key, {}, {}, document.command)
                who = series.implementation
                found[key] = Lines(
                    *key, {**old.histograms,
                           who: series.histograms[pauses.clock]},
                    {**old.utilization, who: curve}, old.command)
    lines = list(found.values())
    for one in (gate or {}).get("latency", ()):
        lines.append(Lines(
            f"{one['name']} (gate)", one["clock"],
            {"base": one["before"], "here": one["after"]},
            {"base": [(w, a) for w, a, _ in one["utilization"]],
             "here": [(w, b) for w, _, b in one["utilization"]]},
            (gate or {})["command"]))
    return [one for one in lines if _worth(one)]


def _worth(lines: Lines) -> bool:
    """Whether there is something to see: pauses that are not all equal."""
    return any(len(list(found.buckets())) > 1
               for found in lines.histograms.values())


def latency_figures(lines: Lines, number: int) -> Figure:
    """Histogram, percentile curve and utilization, side by side."""
    unit = _UNIT[lines.clock]
    spans = any(lines.utilization.values())

    def paint(figure: Any) -> None:
        panels = figure.subplots(1, 3 if spans else 2)
        _histogram(panels[0], lines, unit)
        _percentiles(panels[1], lines, unit)
        if spans:
            _utilization(panels[2], lines, unit)
        legend(figure, panels)

    return draw(
        f"pauses-{number}", f"{lines.name}: pauses, {lines.clock} clock",
        _told(lines, unit), lines.command,
        {"histograms": {k: h.to_json() for k, h in lines.histograms.items()},
         "utilization": {k: list(v) for k, v in lines.utilization.items()}},
        paint, width=9.0 if spans else 6.4, height=3.0)


def _shades(lines: Lines) -> list[tuple[str, str, str]]:
    """(who, colour, marker)"""
    return [(who, colour(SERIES[n % len(SERIES)]), MARKERS[n % len(MARKERS)])
            for n, who in enumerate(lines.histograms)]


def _steps(found: Histogram) -> tuple[list[int], list[float]]:
    """Counts on steps of a quarter of a doubling: buckets alone would jump
    where their width doubles."""
    counts: dict[int, int] = {}
    for floor, end, count in found.buckets():
        step = math.floor(4 * math.log2(max(1, (floor + end - 1) / 2)))
        counts[step] = counts.get(step, 0) + count
    every = range(min(counts), max(counts) + 1)
    return ([counts.get(step, 0) for step in every],
            [2 ** (step / 4) for step in (*every, every[-1] + 1)])


def _histogram(axes: Any, lines: Lines, unit: str) -> None:
    for who, shade, _ in _shades(lines):
        counts, edges = _steps(lines.histograms[who])
        axes.stairs(counts, edges, color=shade, fill=False, linewidth=1.4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"length, {unit}", fontsize=7)
    axes.set_ylabel("how many", fontsize=7)
    axes.tick_params(labelsize=7)


def _percentiles(axes: Any, lines: Lines, unit: str) -> None:
    rarest = max(h.total for h in lines.histograms.values())
    for who, shade, _ in _shades(lines):
        found = lines.histograms[who]
        shares = _shares(found.total)
        axes.plot([1 / (1 - q) for q in shares],
                  [max(1, found.quantile(q)) for q in shares],
                  color=shade, label=who, drawstyle="steps-post")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [t for t in (2, 10, 100, 1000, 10000, 100000) if t <= rarest]
    axes.set_xticks(ticks, [f"{100 * (1 - 1 / t):g}%" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("percentile, by 1/(1-q)", fontsize=7)
    axes.set_ylabel(f"length, {unit}", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid()


def _shares(total: int) -> list[float]:
    """Percentiles up to the last that one pause makes."""
    steps = [0.0, 0.25, 0.5, 0.75]
    rare = 10.0
    while rare <= total:
        steps += [1 - 1 / (rare * k) for k in (1, 2, 5) if rare * k <= total]
        rare *= 10
    return steps


def _utilization(axes: Any, lines: Lines, unit: str) -> None:
    for who, shade, marker in _shades(lines):
        curve = lines.utilization.get(who) or ()
        axes.plot([w for w, _ in curve], [100 * u for _, u in curve],
                  color=shade, marker=marker)
    axes.set_xscale("log")
    axes.set_ylim(-2, 102)
    axes.set_xlabel(f"window, {unit}", fontsize=7)
    axes.set_ylabel("least share left, %", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid()


def _told(lines: Lines, unit: str) -> str:
    said = []
    for who, found in lines.histograms.items():
        said.append(
            f"{who}: {found.total:,} pauses, half below "
            f"{found.quantile(0.5):,}, 99% below {found.quantile(0.99):,}, "
            f"longest {found.most:,} {unit}")
        curve = lines.utilization.get(who)
        if curve:
            window, share = curve[len(curve) // 2]
            said[-1] += (f"; in the worst window of {window:,} the program "
                         f"had {100 * share:.0f}%")
    return ("How many pauses of each length, percentiles on an axis where "
            "each step is ten times rarer, and the share of time that the "
            "worst window leaves. " + "; ".join(said) + ".")
