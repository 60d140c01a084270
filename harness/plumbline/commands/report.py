# SPDX-License-Identifier: MIT
"""`plumbline report`: write the HTML report of earlier results."""

from __future__ import annotations

from pathlib import Path

import click

from plumbline.errors import ReportError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline report                       all of out/results
  plumbline report old/*.jsonl --out old-report
  plumbline report --performance         what is said about speed only
  plumbline report --open
"""


@click.command("report", epilog=_EPILOG)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path),
                metavar="[RESULTS.jsonl]...")
@click.option("--performance", "only_speed", is_flag=True,
              help="Write the page about speed only.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where the report goes (default: out/report).")
@click.option("--open", "show", is_flag=True,
              help="Open it in the browser afterwards.")
def command(
    files: tuple[Path, ...], only_speed: bool, out: Path | None, show: bool
) -> int:
    """Write the HTML report of results files.

    Without files, of everything in out/results. All of them must be of one
    suite version; a truncated file is refused. What was measured (out/bench,
    out/gate, the history) becomes performance.html beside it.
    """
    from plumbline.catalog import read_catalog
    from plumbline.places import find_places
    from plumbline.report import write_report
    from plumbline.report.performance import find_sources, write_performance
    from plumbline.results import read_many

    places = find_places()
    folder = out or places.out / "report"
    sources = find_sources(places)
    if only_speed or not sources.empty:
        speed = write_performance(folder, places, sources)
        click.echo(f"report: {places.short(speed)}")
        if only_speed:
            if show:
                click.launch(str(speed))
            return 0
    paths = list(files) or saved_results(places.results)
    if not paths:
        raise ReportError(
            "there are no results to report",
            place=places.short(places.results),
            remedy="make some with:  plumbline run",
        )
    results = read_many(paths)
    catalog = read_catalog(places.corpus, places.rules)
    page = write_report(catalog, results, folder, places)
    click.echo(f"report: {places.short(page)}")
    if show:
        click.launch(str(page))
    return 0


def saved_results(folder: Path) -> list[Path]:
    """The whole results of a folder; interrupted ones lie beside them under
    another name."""
    return sorted(
        path for path in folder.glob("*.jsonl")
        if not path.name.startswith(".")
        and not path.name.endswith(".partial.jsonl")
    )
