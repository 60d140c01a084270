# SPDX-License-Identifier: MIT
"""`plumbline merge`: the shards of one run as one results file."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline run node --shard 1/4 --out part1      (on four machines)
  plumbline merge part*/results/*.jsonl
  plumbline report
\b
A missing shard, one that is there twice, and shards of different suites,
implementations or selections are refused with exit status 2.
"""


@click.command("merge", epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True,
                type=click.Path(path_type=Path), metavar="SHARD.jsonl...")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The merged file (default: in out/results).")
def command(files: tuple[Path, ...], output: Path | None) -> int:
    """Put the shards of one run of one implementation together."""
    from plumbline.export import write_text
    from plumbline.places import find_places
    from plumbline.shards import merge_shards

    places = find_places()
    label, text = merge_shards(files)
    path = output or places.results / f"{label}.jsonl"
    write_text(path, text)
    click.echo(places.short(path))
    return 0
