# SPDX-License-Identifier: MIT
"""`plumbline export`: earlier results in a format of other programs."""

from __future__ import annotations

from pathlib import Path

import click

from plumbline.errors import ResultsError, UsageError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline export markdown >> "$GITHUB_STEP_SUMMARY"
  plumbline export junit --output junit.xml
  plumbline export annotations out/results/node-20.20.2.jsonl
  plumbline export badge out/results/ref-0.1.0.jsonl --output badge.svg
\b
A run of nothing, an interrupted run and a run in which everything errored are
refused with exit status 2.
"""

_FORMATS = ("json", "junit", "tap", "markdown", "annotations", "badge")


@click.command("export", epilog=_EPILOG)
@click.argument("kind", metavar="FORMAT", type=click.Choice(_FORMATS))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path),
                metavar="[RESULTS.jsonl]...")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write it there instead of to stdout.")
def command(kind: str, files: tuple[Path, ...], output: Path | None) -> int:
    """Write results as json, junit, tap, markdown, annotations or badge.

    Without files, of everything in out/results. All of them must be of one
    suite version.
    """
    from plumbline import export
    from plumbline.catalog import read_catalog
    from plumbline.commands.report import saved_results
    from plumbline.places import find_places
    from plumbline.results import read_many
    from plumbline.shards import must_be_whole

    places = find_places()
    paths = list(files) or saved_results(places.results)
    if not paths:
        raise ResultsError(
            "there are no results to export",
            place=places.short(places.results),
            remedy="make some with:  plumbline run",
        )
    results = read_many(paths)
    export.must_prove(results)
    if kind == "badge":
        if len(results) != 1:
            raise UsageError("a badge is of one implementation",
                             remedy="name one results file")
        must_be_whole(results[0], "merge the shards first")
        text = export.badge(results[0])
    elif kind == "annotations":
        catalog = read_catalog(places.corpus, places.rules)
        text = export.github_annotations(results, catalog.cases)
    else:
        writers = {"json": export.summary_json, "junit": export.junit,
                   "tap": export.tap, "markdown": export.markdown}
        text = writers[kind](results)
    if output is None:
        click.echo(text, nl=False)
    else:
        export.write_text(output, text)
    return 0
