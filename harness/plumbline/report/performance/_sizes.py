# SPDX-License-Identifier: MIT
"""How throughput goes with size, on log axes, implementations together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.measure import Document, Series
from plumbline.report.performance._figure import (
    MARKERS,
    SERIES,
    Figure,
    colour,
    draw,
    legend,
)
from plumbline.report.performance._ways import WAYS
from plumbline.stats import median

__all__ = ["throughputs"]

_SIZE = re.compile(r"/([a-z-]+):(\d+)([%KMG]?)(?=/|$)")
_UNITS = {"": 1, "%": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# family: implementation: [(size, operations a second)]
Families = dict[tuple[str, str], dict[str, list[tuple[int, float]]]]


def _families(documents: Sequence[Document]) -> Families:
    found: Families = {}
    for document in documents:
        for series in document.series.values():
            size = _SIZE.search(series.name)
            if size is None or not _good(series) or \
                    series.name.startswith(WAYS):  # have their own
                continue
            family = (_SIZE.sub("", series.name, count=1), size[1])
            points = found.setdefault(family, {}).setdefault(
                series.implementation, [])
            at = int(size[2]) * _UNITS[size[3]]
            points[:] = [p for p in points if p[0] != at]
            points.append((at, 1e9 / median(series.cpu)))
    return found


def _good(series: Series) -> bool:
    return not series.error and bool(series.cpu) and min(series.cpu) > 0


def throughputs(documents: Sequence[Document], command: str) -> list[Figure]:
    """A picture per area, a panel per benchmark of sizes that lie ten times
    apart or more."""
    areas: dict[str, Families] = {}
    for family, table in _families(documents).items():
        if any(max(p)[0] >= 10 * min(p)[0] > 0 for p in table.values()):
            area = "/".join(family[0].split("/")[:2])
            areas.setdefault(area, {})[family] = table
    return [_area(area, found, _command(documents, area) or command)
            for area, found in sorted(areas.items())]


def _command(documents: Sequence[Document], area: str) -> str:
    """What measured an area last."""
    return next(
        (d.command for d in reversed(documents)
         if d.command and any(s.name.startswith(area + "/")
                              for s in d.series.values())), "")


def _area(area: str, families: Families, command: str) -> Figure:
    who = sorted({one for table in families.values() for one in table})
    columns = min(3, len(families))
    lines = -(-len(families) // columns)

    def paint(figure: Any) -> None:
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes in grid.flat[len(families):]:
            axes.set_visible(False)
        for axes, (family, table) in zip(grid.flat, families.items()):
            _panel(axes, family, table, who)
        legend(figure, grid.flat[:len(families)])

    return draw(
        f"size-{area.replace('/', '-')}", f"{area}: throughput by size",
        _told(families), command,
        [{"benchmark": name, "parameter": parameter, "points": table}
         for (name, parameter), table in families.items()],
        paint, width=2.9 * columns + 0.3, height=2.3 * lines + 0.4)


def _panel(
    axes: Any, family: tuple[str, str],
    table: Mapping[str, Sequence[tuple[int, float]]], who: Sequence[str],
) -> None:
    for name, points in table.items():
        place = who.index(name)
        ordered = sorted(points)
        axes.plot([s for s, _ in ordered], [t for _, t in ordered],
                  marker=MARKERS[place % len(MARKERS)], label=name,
                  color=colour(SERIES[place % len(SERIES)]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_formatter("")
    axes.set_title(family[0].split("/", 2)[-1], fontsize=8)
    axes.set_xlabel(family[1], fontsize=7)
    axes.set_ylabel("a second", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid()


def _told(families: Families) -> str:
    """The factor between the least and the greatest size, in words."""
    said = []
    for (name, parameter), table in families.items():
        for who, points in sorted(table.items()):
            first, last = min(points), max(points)
            if first[0] != last[0]:
                said.append(
                    f"{name.split('/', 2)[-1]} on {who}: "
                    f"{first[1]:.3g} a second at {parameter} {first[0]:,}, "
                    f"{last[1]:.3g} at {last[0]:,}")
    return ("Operations a second against size, both on log axes; a level "
            "line costs the same at any size. " + "; ".join(said) + ".")
