# SPDX-License-Identifier: MIT
"""`plumbline history`: times over time, and where they changed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from plumbline.history import Track

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline history                         every series, and its changes
  plumbline history --filter timers/arm --impl ref
  plumbline history --add old/ref-libuv.json --revision v0.1.0
  plumbline history --export history.json
  plumbline history --store postgresql://host/plumbline
"""
_MARKS = "▁▂▃▄▅▆▇█"
_STRIP = 40


@click.command("history", epilog=_EPILOG)
@click.option("--filter", "pattern", metavar="REGEX",
              help="Only the benchmarks whose name matches.")
@click.option("--impl", metavar="NAME", help="Only this implementation.")
@click.option("--add", "files", multiple=True, metavar="FILE",
              type=click.Path(path_type=Path),
              help="Append a file of `plumbline bench` first.")
@click.option("--revision", metavar="NAME",
              help="With --add: what was measured (default: this checkout).")
@click.option("--export", "target", type=click.Path(path_type=Path),
              metavar="FILE", help="Write the series as JSON.")
@click.option("--store", metavar="FILE|URL",
              help="Where the history lies (default: $PLUMBLINE_HISTORY, or "
                   "out/history.sqlite).")
def command(
    pattern: str | None,
    impl: str | None,
    files: tuple[Path, ...],
    revision: str | None,
    target: Path | None,
    store: str | None,
) -> int:
    """Show the series of the history, and where they changed.

    `plumbline bench` appends to it. A series is one benchmark of one version
    on one implementation and machine; a change is where the L1 Potts model
    cuts it, with four points on each side.
    """
    from plumbline.history import append, export, read_tracks
    from plumbline.measure import read_document
    from plumbline.measure._document import write_whole
    from plumbline.places import find_places
    from plumbline.terminal import output

    if revision is not None and not files:
        raise UsageError("--revision belongs to --add")
    places = find_places()
    if files:
        added = append(places, [read_document(f) for f in files], store,
                       revision)
        click.echo(f"{added} of {len(files)} files were new")
    try:
        wanted = re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"this is no regular expression: {error}",
                         place=pattern) from error
    tracks = [t for t in read_tracks(places, store)
              if wanted.search(t.benchmark)
              and impl in (None, t.implementation)]
    if not tracks:
        raise UsageError("the history has nothing of that",
                         remedy="fill it with:  plumbline bench")
    if target:
        write_whole(target, json.dumps(export(tracks), indent=1) + "\n")
        click.echo(f"history: {places.short(target)}")
    else:
        output().print(_table(tracks))
    return 0


def _strip(values: list[float]) -> str:
    """The last values as little bars."""
    shown = values[-_STRIP:]
    low, high = min(shown), max(shown)
    if high < 1.02 * low:  # what hardly moves is a line
        return _MARKS[3] * len(shown)
    return "".join(
        _MARKS[round((v - low) / (high - low) * (len(_MARKS) - 1))]
        for v in shown)


def _changes(track: Track) -> str:
    found = []
    for early, late in zip(track.segments, track.segments[1:]):
        share = late.level / early.level - 1
        at = track.points[late.begin].revision or f"#{late.begin + 1}"
        found.append(f"{100 * share:+.0f}% at {at}")
    return ", ".join(found)


def _table(tracks: list[Track]) -> Table:
    from rich.table import Table

    from plumbline.compare import show_time

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("CPU time of one", no_wrap=True)
    table.add_column("of", no_wrap=True)
    table.add_column("runs", justify="right")
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("changes")
    for track in tracks:
        times = [p.nanoseconds for p in track.points]
        table.add_row(track.benchmark, track.implementation, str(len(times)),
                      show_time(times[-1]), _strip(times), _changes(track))
    return table
