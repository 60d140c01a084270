# SPDX-License-Identifier: MIT
"""`plumbline explain-latency`: who held the loop, and who was late for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from plumbline.cpuprofile import Node
    from plumbline.latency import Culprit, Hold, Latency

__all__ = ["command"]

_EPILOG = """\b
Examples:
  node --cpu-prof server.js; plumbline explain-latency CPU.*.cpuprofile
  plumbline explain-latency busy.cpuprofile --threshold 50
  plumbline explain-latency busy.cpuprofile --json | jq .holds[0]
"""
_ROWS = 10  # of a table, so that everything fits on one screen
_VICTIMS = 3


@click.command("explain-latency", epilog=_EPILOG)
@click.argument("file", metavar="FILE",
                type=click.Path(path_type=Path, dir_okay=False))
@click.option("--threshold", metavar="MS", default=10.0, show_default=True,
              type=click.FloatRange(min=0),
              help="Show holds of at least this many milliseconds.")
@click.option("--json", "as_json", is_flag=True,
              help="All of it, as JSON; times in milliseconds.")
def command(file: Path, threshold: float, as_json: bool) -> int:
    """Name the callbacks that held a loop.

    FILE is a .cpuprofile: of Plumbline's reference, or of node, deno or bun
    with --cpu-prof. A hold is a stretch of time in which one callback, and
    what is drained behind it, leaves the loop no turn. Plumbline's own
    profiles also tell how late the timers were, and because of whom.
    """
    from plumbline.cpuprofile import read_profile
    from plumbline.latency import analyse

    latency = analyse(read_profile(file))
    holds = [h for h in latency.holds if h.duration >= threshold * 1000]
    if as_json:
        click.echo(json.dumps(_as_json(latency, holds, threshold), indent=2))
        return 0
    from plumbline.terminal import output

    _show(output(), latency, holds, threshold)
    return 0


# -- for people ---


def _show(console: Console, latency: Latency, holds: Sequence[Hold],
          threshold: float) -> None:
    profile = latency.profile
    console.print(_head(latency), soft_wrap=True, markup=False)
    if profile.dropped:
        console.print(
            f"the oldest {profile.dropped:,} records were dropped: the "
            "recorder's ring was full", style="yellow")
    console.print()
    if holds:
        _show_holds(console, latency, holds, threshold)
    elif latency.holds:
        longest = latency.holds[0]
        console.print(
            f"nothing held the loop for {threshold:g} ms; the longest was "
            f"{_name(longest.entry)} with {_ms(longest.duration)}",
            markup=False)
    else:
        console.print("no callback was seen")
    if latency.timers:
        console.print()
        _show_timers(console, latency)
    elif not profile.ours:
        console.print()
        console.print("how late timers were is not in this file: only "
                      "Plumbline's reference records it", style="dim")


def _head(latency: Latency) -> str:
    profile = latency.profile
    whole = profile.duration or 1
    by = "recorded by Plumbline" if profile.ours else "of samples"
    parts = [f"{latency.held / whole:.0%} in callbacks"]
    if latency.waited:
        parts.append(f"{latency.waited / whole:.0%} waiting")
    other = 1 - (latency.held + latency.waited) / whole
    parts.append(f"{max(0.0, other):.0%} elsewhere")
    return (f"{profile.path}: {_ms(profile.duration)} {by}, "
            f"{', '.join(parts)}")


def _show_holds(console: Console, latency: Latency, holds: Sequence[Hold],
                threshold: float) -> None:
    from rich.text import Text

    table = _table(f"The longest holds ({len(holds)} of {threshold:g} ms or "
                   "more)", "at", "held", "share")
    table.add_column("callback", overflow="fold")
    for hold in holds[:_ROWS]:
        what = Text(_name(hold.entry), style="bold")
        place = _place(hold.entry)
        what.append(f"  {place}" if place else "", style="not bold cyan")
        for line in _remarks(latency, hold):
            what.append(f"\n{line}", style="not bold dim")
        table.add_row(_ms(hold.start), _ms(hold.duration),
                      _share(hold.duration, latency), what)
    console.print(table)
    if len(holds) > _ROWS:
        console.print(f"… and {len(holds) - _ROWS:,} more: --json has all",
                      style="dim")


def _remarks(latency: Latency, hold: Hold) -> list[str]:
    lines = []
    node, part = latency.hottest(hold)
    if node.id != hold.entry.id or node.hot_line:
        place = _place(node, hot=True)
        lines.append(f"{part:.0%} of it in {_name(node)}"
                     f"{f' {place}' if place else ''}")
    victims = latency.victims(hold)
    if victims:
        told = [f"{who.name} by {_ms(late)}" for who, late in
                victims[:_VICTIMS]]
        more = len(victims) - _VICTIMS
        told += [f"{more} more"] if more > 0 else []
        lines.append(f"made late: {', '.join(told)}")
    return lines


def _show_timers(console: Console, latency: Latency) -> None:
    table = _table("Timers, the latest first", "fired", "median late",
                   "worst late")
    table.add_column("timer", overflow="fold")
    table.add_column("held by", overflow="fold")
    for lateness in latency.timers[:_ROWS]:
        by = lateness.held_by
        table.add_row(
            f"{lateness.fired:,}", _ms(lateness.median), _ms(lateness.worst),
            lateness.culprit.name, _name(by.entry) if by else "")
    console.print(table)
    if len(latency.timers) > _ROWS:
        console.print(f"… and {len(latency.timers) - _ROWS:,} more timers: "
                      "--json has all", style="dim")


def _table(title: str, *numbers: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold",
                  box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:,.1f} ms"


def _share(duration: float, latency: Latency) -> str:
    return f"{duration / (latency.profile.duration or 1):.0%}"


def _name(node: Node) -> str:
    return f"{node.name} ({node.kind})" if node.kind else node.name


def _place(node: Node, hot: bool = False) -> str:
    """url:line, as short as it can be from here."""
    url = node.url
    if url.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        url = unquote(urlsplit(url).path)
    if url.startswith("/"):
        try:
            url = str(Path(url).relative_to(Path.cwd()))
        except ValueError:
            pass
    line = (node.hot_line if hot else None) or node.line
    return f"{url}:{line}" if url and line else url


# -- for programs ---


def _as_json(latency: Latency, holds: Sequence[Hold],
             threshold: float) -> dict[str, Any]:
    profile = latency.profile
    return {
        "file": profile.path,
        "exact": profile.ours,
        "duration": _number(profile.duration),
        "held": _number(latency.held),
        "waited": _number(latency.waited),
        "dropped": profile.dropped,
        "threshold": threshold,
        "holds": [_hold_json(latency, hold) for hold in holds],
        "timers": [
            {
                **_culprit_json(item.culprit),
                "fired": item.fired,
                "median_late": _number(item.median),
                "worst_late": _number(item.worst),
                "worst_at": _number(item.worst_at),
                "held_by": item.held_by and item.held_by.entry.name,
            }
            for item in latency.timers
        ],
    }


def _hold_json(latency: Latency, hold: Hold) -> dict[str, Any]:
    from plumbline.latency import culprit_of

    node, part = latency.hottest(hold)
    return {
        "at": _number(hold.start),
        "held": _number(hold.duration),
        "share": round(hold.duration / (latency.profile.duration or 1), 4),
        **_culprit_json(culprit_of(hold.entry)),
        "kind": hold.entry.kind,
        "phase": hold.phase,
        "hottest": {
            **_culprit_json(culprit_of(node)),
            "hot_line": node.hot_line,
            "share": round(part, 4),
        },
        "made_late": [
            {**_culprit_json(who), "late": _number(late)}
            for who, late in latency.victims(hold)
        ],
    }


def _culprit_json(culprit: Culprit) -> dict[str, Any]:
    return {"function": culprit.name, "url": culprit.url,
            "line": culprit.line}


def _number(microseconds: float) -> float:
    return round(microseconds / 1000, 3)
