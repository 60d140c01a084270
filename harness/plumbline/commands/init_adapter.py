# SPDX-License-Identifier: MIT
"""`plumbline init-adapter`: the beginning of an adapter of one's own."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]

_LANGUAGES = ("c", "python", "javascript", "rust", "go")

_EPILOG = """\b
Examples:
  plumbline init-adapter --language python --name mine
  plumbline init-adapter --language rust --name fastloop --out src/adapter
\b
conformance/adapters/TUTORIAL.md goes on from here.
"""


@click.command("init-adapter", epilog=_EPILOG)
@click.option("--language", type=click.Choice(_LANGUAGES), required=True,
              help="The language of the adapter.")
@click.option("--name", required=True, metavar="NAME",
              help="What your implementation is called.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="The folder to make (default: its name).")
def command(language: str, name: str, out: Path | None) -> int:
    """Write a working adapter to begin with.

    It speaks the protocol, checks programs before it runs them, and knows
    five operations on a small loop of its own, which yours replaces.
    """
    from plumbline.places import find_places
    from plumbline.skeletons import SKELETONS, write_skeleton

    folder = out or Path(name)
    for path in write_skeleton(find_places(), language, name, folder):
        click.echo(path)
    known = SKELETONS[language]
    run = known.command.format(folder)
    if "/" in run and " " not in run and not run.startswith("/"):
        run = f"./{run}"
    click.echo("\nnext:")
    if known.build:
        click.echo(f"  {known.build.format(folder)}")
    click.echo(f"  ./plumbline smoke '{run}'")
    click.echo(f"  ./plumbline run --adapter '{run}' --name {name}")
    return 0
