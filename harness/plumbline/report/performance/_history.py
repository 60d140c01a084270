# SPDX-License-Identifier: MIT
"""Times over time: levels between change points, machines as bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumbline.history import Track
from plumbline.report.performance._figure import (
    SERIES,
    Figure,
    colour,
    draw,
)

__all__ = ["histories"]

_LEAST = 2  # points that are worth a picture


def histories(tracks: Sequence[Track]) -> list[Figure]:
    """A picture per benchmark and implementation, the machines one after the
    other."""
    groups: dict[tuple[str, str], list[Track]] = {}
    for track in tracks:
        groups.setdefault((track.benchmark, track.implementation),
                          []).append(track)
    return [
        _history(name, who, found, number)
        for number, ((name, who), found) in enumerate(sorted(groups.items()))
        if sum(len(t.points) for t in found) >= _LEAST
    ]


def _history(
    name: str, who: str, tracks: Sequence[Track], number: int
) -> Figure:
    ordered = sorted(tracks, key=lambda t: t.points[0].measured)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        begin = 0
        labels: list[str] = []
        for place, track in enumerate(ordered):
            _band(axes, track, begin, place)
            labels += [p.revision for p in track.points]
            begin += len(track.points)
        step = max(1, len(labels) // 12)
        axes.set_xticks(range(0, len(labels), step), labels[::step],
                        rotation=30, ha="right", fontsize=7)
        axes.set_ylabel("CPU time of one, ns")
        axes.set_xlim(-0.6, len(labels) - 0.4)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")

    return draw(
        f"history-{number}", f"{name} on {who}", _told(ordered),
        f"plumbline history --filter '^{name}$' --impl {who}",
        [{"fingerprint": t.fingerprint, "machine": dict(t.machine),
          "version": t.version,
          "points": [[p.measured, p.revision, p.nanoseconds]
                     for p in t.points]} for t in ordered],
        paint, height=2.6)


def _band(axes: Any, track: Track, begin: int, place: int) -> None:
    shade = colour(SERIES[place % len(SERIES)])
    end = begin + len(track.points)
    axes.axvspan(begin - 0.5, end - 0.5, color=shade, alpha=0.07,
                 linewidth=0)
    axes.plot(range(begin, end), [p.nanoseconds for p in track.points],
              "o", color=shade, markersize=3)
    for one in track.segments:
        axes.plot([begin + one.begin - 0.4, begin + one.end - 0.6],
                  [one.level, one.level], color=shade, linewidth=2)
    for one in track.segments[1:]:
        axes.axvline(begin + one.begin - 0.5, color=colour("bad"),
                     linewidth=0.9, linestyle="--")
    axes.annotate(f"{track.machine.get('cpu', '')} v{track.version}",
                  (begin - 0.4, 0), fontsize=6, color=colour("soft"),
                  xytext=(0, 3), textcoords="offset points")


def _told(tracks: Sequence[Track]) -> str:
    said = []
    for track in tracks:
        changes = [
            f"{100 * (late.level / early.level - 1):+.0f}% at "
            f"{track.points[late.begin].revision or late.begin}"
            for early, late in zip(track.segments, track.segments[1:])]
        said.append(
            f"{len(track.points)} runs on {track.machine.get('cpu', '?')} "
            f"({track.fingerprint}), "
            + (", ".join(changes) if changes else "no change"))
    return ("Times in the order of the runs; a bar is a level, a dashed line "
            "a change, a band a machine. " + "; ".join(said) + ".")
