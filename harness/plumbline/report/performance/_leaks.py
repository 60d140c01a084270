# SPDX-License-Identifier: MIT
"""Memory over time, before and after the cure of each leak; and what it costs
to have a cache in the process or outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.leaks._document import growth
from plumbline.report.performance._figure import (
    MARKERS,
    SERIES,
    Figure,
    colour,
    draw,
    legend,
)

__all__ = ["leak_figures"]

_MIB = 1 << 20
_FIGURES = ("rss", "heapTotal", "heapUsed", "external")
_TITLES = {"leaks": "before", "cured": "after the cure"}
Run = Mapping[str, Any]


def leak_figures(value: Mapping[str, Any] | None) -> list[Figure]:
    """A picture per leak, and one of the cache's places."""
    if value is None:
        return []
    leaks: dict[str, list[Run]] = {}
    for run in value["runs"]:
        if run.get("samples"):
            leaks.setdefault(run["leak"], []).append(run)
    figures = [_leak(leak, runs, value["command"])
               for leak, runs in leaks.items()]
    arms = [arm for arm in value["outside"] if "problem" not in arm]
    if arms:
        figures.append(_outside(arms, value["command"]))
    return figures


# -- a leak -----------------------------------------------------------------


def _grown(run: Run, name: str) -> list[tuple[int, float]]:
    """(turns since the first sample, MiB more than there)"""
    points = [(s["turn"], s[name]) for s in run["samples"] if name in s]
    return [(turn - points[0][0], (value - points[0][1]) / _MIB)
            for turn, value in points]


def _leak(leak: str, runs: Sequence[Run], command: str) -> Figure:
    who = list(dict.fromkeys(run["implementation"] for run in runs))

    def paint(figure: Any) -> None:
        grid = figure.subplots(2, len(who), squeeze=False, sharex=True,
                               sharey=True)
        for axes in grid.flat:
            axes.set_visible(False)
        for run in runs:
            row = list(_TITLES).index(run["state"])
            axes = grid[row][who.index(run["implementation"])]
            axes.set_visible(True)
            _panel(axes, run)
        legend(figure, grid.flat)

    return draw(
        f"leak-{leak}", f"{leak}: memory before and after the cure",
        _told(leak, runs), command,
        [{"implementation": run["implementation"], "state": run["state"],
          "verdict": run["verdict"],
          "more": {name: _grown(run, name) for name in _FIGURES}}
         for run in runs],
        paint, width=1.75 * len(who) + 0.6, height=3.9)


def _panel(axes: Any, run: Run) -> None:
    for number, name in enumerate(_FIGURES):
        points = _grown(run, name)
        if points:
            axes.plot([turn for turn, _ in points],
                      [more for _, more in points], label=name,
                      color=colour(SERIES[number]), linewidth=1.2)
    first = run["samples"][0]["turn"]
    turns = {s["round"]: s["turn"] - first for s in run["samples"]
             if s["at"] == "collection"}
    for event in run.get("events", ()):
        if event["round"] in turns:
            axes.axvline(turns[event["round"]], color=colour("bad"),
                         linewidth=0.8, linestyle=":", label="leak event")
    axes.set_title(f"{run['implementation']}, {_TITLES[run['state']]}",
                   fontsize=7)
    axes.set_xlabel("turns", fontsize=7)
    axes.set_ylabel("MiB more", fontsize=7)
    axes.tick_params(labelsize=6)
    axes.grid()
    axes.label_outer()


def _told(leak: str, runs: Sequence[Run]) -> str:
    said = []
    for run in runs:
        words = (f"{run['implementation']} {_TITLES[run['state']]}: "
                 f"{growth(run) / 1024:+,.1f} KiB a full collection, "
                 f"{run['verdict']}")
        named = (run.get("comparison") or {}).get("named")
        said.append(f"{words}, snapshots name {named}" if named else words)
    return ("MiB more than at first, over the turns of the loop; a dotted line "
            "is where five full collections in a row had grown. "
            + "; ".join(said) + ".")


# -- the cache's places ------------------------------------------------------


def _outside(arms: Sequence[Mapping[str, Any]], command: str) -> Figure:
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for arm in arms:
        lines.setdefault(f"{arm['implementation']}, {arm['where']}",
                         []).append(arm)

    def paint(figure: Any) -> None:
        panels = figure.subplots(1, 3)
        for axes, title, unit, value in (
            (panels[0], "a full collection stops it for", "ms",
             lambda arm: arm["stops"]["p50"] / 1e6),
            (panels[1], "a page takes", "us",
             lambda arm: arm["gets"]["p50"] / 1e3),
            (panels[2], "objects in the heap", "MiB",
             lambda arm: arm["heapUsed"] / _MIB),
        ):
            _places(axes, lines, title, unit, value)
        legend(figure, panels)

    return draw(
        "leak-outside", "A cache in the process, or in Redis",
        _told_places(arms), command, list(arms), paint, width=9.0,
        height=3.4 + 0.1 * len(lines))


def _places(
    axes: Any, lines: Mapping[str, Sequence[Mapping[str, Any]]], title: str,
    unit: str, value: Any,
) -> None:
    who = list(dict.fromkeys(name.split(", ")[0] for name in lines))
    styles = {"process": "-", "redis": ":", "steps": "--"}
    for name, arms in lines.items():
        place = who.index(name.split(", ")[0])
        ordered = sorted(arms, key=lambda arm: int(arm["entries"]))
        # On log axes there is no nothing.
        axes.plot([arm["entries"] for arm in ordered],
                  [max(1e-4, value(arm)) for arm in ordered],
                  color=colour(SERIES[place % len(SERIES)]),
                  marker=MARKERS[place % len(MARKERS)],
                  linestyle=styles[name.split(", ")[1]], label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_formatter("")
    axes.set_title(title, fontsize=8)
    axes.set_xlabel("pages in the cache", fontsize=7)
    axes.set_ylabel(unit, fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid()


def _told_places(arms: Sequence[Mapping[str, Any]]) -> str:
    said = [f"{arm['implementation']}, {arm['entries']:,} in "
            f"{arm['where']}: stops of {arm['stops']['p50'] / 1e6:,.3g} ms, "
            f"a page in {arm['gets']['p50'] / 1e3:,.3g} us, "
            f"{arm['heapUsed'] / _MIB:,.1f} MiB of objects"
            for arm in arms]
    return ("What full collections, requests and the heap take against the "
            "cache's size, on log axes. The reference's stops are processor "
            "time, the others' time on the wall; \"steps\" is a collection in "
            "steps of 1 ms. " + "; ".join(said) + ".")
