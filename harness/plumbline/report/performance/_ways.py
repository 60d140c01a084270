# SPDX-License-Identifier: MIT
"""The ways to serve in one picture: how many connections a second, how late,
what a connection takes in memory, who is served by whom, and who works."""

from __future__ import annotations

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

__all__ = ["WAYS", "ways_figure"]

WAYS = "ways-to-serve/"
# load: way: clients: counters
Table = dict[str, dict[str, dict[int, Mapping[str, float]]]]


def ways_figure(documents: Sequence[Document]) -> Figure | None:
    """The last measurement's; None where there is none."""
    for document in reversed(documents):
        table = _table(list(document.series.values()))
        if table:
            return _figure(table, document.command)
    return None


def _table(series: Sequence[Series]) -> Table:
    table: Table = {}
    for one in series:
        if not one.name.startswith(WAYS) or one.error:
            continue
        _, load, size = one.name.split("/")
        ways = table.setdefault(load, {})
        ways.setdefault(one.implementation, {})[
            int(size.removeprefix("n:"))] = one.counters
    return table


def _figure(table: Table, command: str) -> Figure:
    who = list(dict.fromkeys(way for ways in table.values() for way in ways))

    def paint(figure: Any) -> None:
        grid = figure.subplots(2, 3)
        _lines(grid[0, 0], table, "busy", "connections_per_second", who,
               "connections a second")
        _lines(grid[0, 1], table, "busy", "p99_us", who, "99 % within, µs")
        _lines(grid[0, 2], table, "slow", "p50_us", who,
               "half within, µs; each 8th client pauses")
        _bars(grid[1, 0], table, "memory_bytes_per_connection", who,
              "memory of a connection, bytes")
        _work(grid[1, 1], table, who)
        _bars(grid[1, 2], table, "fairness", who,
              "fairness over workers (1: even)")
        legend(figure, grid.flat[:3])

    return draw("ways-to-serve", "Ways to serve", _told(table), command,
                [{"load": load, "way": way, "clients": clients,
                  **{key: counters[key] for key in sorted(counters)}}
                 for load, ways in table.items()
                 for way, sizes in ways.items()
                 for clients, counters in sorted(sizes.items())],
                paint, width=9.6, height=5.6)


def _lines(axes: Any, table: Table, load: str, counter: str,
           who: Sequence[str], title: str) -> None:
    for way, sizes in table.get(load, {}).items():
        place = who.index(way)
        points = [(n, found[counter]) for n, found in sorted(sizes.items())
                  if found.get(counter, 0) > 0]
        axes.plot([n for n, _ in points], [value for _, value in points],
                  marker=MARKERS[place % len(MARKERS)], label=way,
                  linestyle="-" if place < len(SERIES) else "--",
                  color=colour(SERIES[place % len(SERIES)]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("clients at a time", fontsize=7)
    _plain(axes, title)


def _largest(table: Table, way: str) -> Mapping[str, float]:
    """What was counted with the most clients, busy ones."""
    sizes = table.get("busy", {}).get(way, {})
    return sizes[max(sizes)] if sizes else {}


def _bars(axes: Any, table: Table, counter: str, who: Sequence[str],
          title: str) -> None:
    axes.barh(list(who), [_largest(table, way).get(counter, 0.0)
                          for way in who], color=colour("s1"), height=0.6)
    axes.invert_yaxis()
    _plain(axes, title)


def _work(axes: Any, table: Table, who: Sequence[str]) -> None:
    primary = [_largest(table, way).get("primary_cpu_ns_per_connection", 0.0)
               / 1e3 for way in who]
    workers = [max(0.0, _largest(table, way).get("cpu_ns_per_connection", 0.0)
                   / 1e3 - own) for way, own in zip(who, primary)]
    axes.barh(list(who), primary, color=colour("s2"), height=0.6)
    axes.barh(list(who), workers, left=primary, color=colour("s3"), height=0.6)
    axes.invert_yaxis()
    _plain(axes, "CPU of a connection, µs: first process, others")


def _plain(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid()
    axes.set_axisbelow(True)


def _told(table: Table) -> str:
    """The same in words."""
    said = []
    for way in table.get("busy", {}):
        most = _largest(table, way)
        said.append(
            f"{way}: {most.get('connections_per_second', 0):,.0f} connections "
            f"a second, 99 % within {most.get('p99_us', 0):,.0f} µs, "
            f"{most.get('memory_bytes_per_connection', 0):,.0f} bytes each, "
            f"fairness {most.get('fairness', 0):.2f}")
    return ("The same service in several ways, with the most clients: "
            + "; ".join(said) + ".")
