# SPDX-License-Identifier: MIT
"""`plumbline run`: judge implementations, show the table, write the report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.completing import complete_cases, complete_implementations
from plumbline.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from plumbline.judge import Outcome, Request
    from plumbline.places import Places
    from plumbline.registry import Target
    from plumbline.results import Results

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline run                                everything that is found
  plumbline run ref libuv node@12.8.1
  plumbline run node --select loop/timeouts    a subtree
  plumbline run node --select LOOP-CHECK-2     the cases of a rule
  plumbline run node --select '*immediate*' --repeat 20
  plumbline run --jobs 1                       one at a time
  plumbline run node --shard 2/4               a quarter of the cases
  plumbline run --executor dask://host:8786    on a cluster
  plumbline run --adapter './my-adapter' --watch
  plumbline run --adapter './my-adapter' --name mine
  plumbline run --provider ./libmine.so --name mine
\b
Exit status: 0 as expected, 1 something unexpected, 2 nothing was proved,
130 interrupted.
"""


@click.command("run", epilog=_EPILOG)
@click.argument("implementations", nargs=-1, metavar="[IMPL]...",
                shell_complete=complete_implementations)
@click.option("--select", multiple=True, metavar="GLOB",
              shell_complete=complete_cases,
              help="Only these cases: glob, subtree or rule id.")
@click.option("--exclude", multiple=True, metavar="GLOB",
              help="All but these cases.")
@click.option("--repeat", type=click.IntRange(1), metavar="N",
              help="Run every case N times.")
@click.option("--timeout", type=click.IntRange(1), metavar="MS",
              help="Time limit of a case instead of its own.")
@click.option("--seed", type=int, metavar="N", help="Order of the cases.")
@click.option("--shard", metavar="K/N",
              help="Only the K-th of N shares of the cases; see merge.")
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N",
              help="Judge N implementations at a time "
                   "(default: 2, on one processor 1).")
@click.option("--executor", metavar="dask://HOST:PORT",
              help="Judge on the workers of a Dask cluster.")
@click.option("--adapter", metavar="CMD",
              help="Judge an adapter of your own.")
@click.option("--provider", type=click.Path(path_type=Path), metavar="LIB",
              help="Judge a provider library of your own.")
@click.option("--name", default="", metavar="NAME",
              help="What to call your own implementation.")
@click.option("--update", is_flag=True,
              help="Rewrite the expectations from these results.")
@click.option("--report/--no-report", default=True,
              help="Write the HTML report (the default).")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where results and report go (default: out).")
@click.option("-q", "--quiet", is_flag=True,
              help="Print only what is unexpected.")
@click.option("--json", "as_json", is_flag=True,
              help="Print the summary as JSON, and nothing else.")
@click.option("--watch", "again", is_flag=True,
              help="Run again whenever something changed.")
def command(
    implementations: tuple[str, ...],
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    repeat: int | None,
    timeout: int | None,
    seed: int | None,
    shard: str | None,
    jobs: int | None,
    executor: str | None,
    adapter: str | None,
    provider: Path | None,
    name: str,
    update: bool,
    report: bool,
    out: Path | None,
    quiet: bool,
    as_json: bool,
    again: bool,
) -> int:
    """Judge implementations and show where they differ.

    IMPL is a name (node), or a name with a version (node@12.8.1). Without
    any, everything that is found here is judged: the reference, libuv, and
    each JavaScript runtime in PATH or in .runtimes/.
    """
    from plumbline.judge import Request
    from plumbline.judges import default_jobs
    from plumbline.places import find_places

    places = find_places()
    if again:
        from plumbline.watching import watch, watched_words

        return watch(places, watched_words(adapter, provider))
    if select:
        from plumbline.catalog import must_select, read_catalog

        must_select(read_catalog(places.corpus, places.rules), select)
    request = Request(select, exclude, repeat, timeout, seed, shard)
    quiet = quiet or as_json
    targets = _targets(places, implementations, adapter, provider, name)
    folder = out or places.out
    begun = time.monotonic()
    outcomes = _judge_all(places, targets, request, folder, quiet,
                          jobs or default_jobs(), executor)
    status = _tell(places, outcomes, quiet, as_json)
    if update and status != 130:
        _update(places, outcomes, quiet)
    if report and status != 130:
        _report(places, outcomes, folder, quiet)
    if not quiet:
        click.echo(f"{time.monotonic() - begun:.1f} s")
    return status


def _targets(
    places: Places,
    specs: Sequence[str],
    adapter: str | None,
    provider: Path | None,
    name: str,
) -> list[Target]:
    from plumbline.registry import named_targets, read_registry

    if name and not (adapter or provider):
        raise UsageError("--name belongs to --adapter or --provider")
    if adapter and provider:
        raise UsageError("--adapter and --provider exclude each other")
    if name and not all(c.isalnum() or c in "._+-" for c in name):
        raise UsageError(
            f"the name '{name}' cannot be a file's name",
            remedy="use letters, digits, '.', '_', '+' and '-'",
        )
    registry = read_registry(places)
    return (named_targets(registry, specs, adapter, provider, name)
            or registry.everything())


def _judge_all(
    places: Places,
    targets: Sequence[Target],
    request: Request,
    folder: Path,
    quiet: bool,
    jobs: int,
    executor: str | None,
) -> list[Outcome]:
    from plumbline.judges import judge_all
    from plumbline.terminal import bars

    with bars(quiet) as make:
        if executor is not None:
            from plumbline.cluster import judge_on_cluster

            return judge_on_cluster(places, targets, request,
                                    folder / "results", make, executor)
        return judge_all(places, targets, request, folder / "results", make,
                         jobs)


def _tell(
    places: Places, outcomes: Sequence[Outcome], quiet: bool, as_json: bool
) -> int:
    """Print table, unexpected cases and failed runs; gives the status."""
    from plumbline.judge import reproduce
    from plumbline.table import print_table, print_unexpected
    from plumbline.terminal import output, remarks

    console = remarks() if as_json else output()
    told = [o.results for o in outcomes if o.results is not None]
    if told and not quiet:
        print_table(console, told)
    commands = {
        (outcome.results.label, case.id): reproduce(outcome.target, case.id)
        for outcome in outcomes
        if outcome.results is not None
        for case in outcome.results.unexpected()
    }
    if as_json:
        from plumbline.export import summary_json

        click.echo(summary_json(told), nl=False)
        unexpected = sum(len(results.unexpected()) for results in told)
    else:
        unexpected = print_unexpected(console, told, commands)
    some = any(outcome.proved for outcome in outcomes)
    for outcome in outcomes:
        if some and outcome.silent:
            if not quiet:
                console.print(f"{outcome.target.title} supports none of "
                              "these cases", style="dim")
        else:
            _tell_failed(console, outcome)
    if any(outcome.interrupted for outcome in outcomes):
        _tell_interrupted(places, outcomes)
        return 130
    if not some or not all(o.proved or o.silent for o in outcomes):
        return 2
    if not quiet and not unexpected:
        console.print("everything as expected", style="green")
    return 1 if unexpected else 0


def _tell_failed(console: Console, outcome: Outcome) -> None:
    """A run of the judge that proved nothing."""
    from rich.text import Text

    if outcome.proved or outcome.interrupted:
        return
    said = outcome.message or f"the judge ended with {outcome.status}"
    text = Text(f"\n{outcome.target.title}: nothing was proved\n", "bold red")
    text.append("  " + said.replace("\n", "\n  "), style="default")
    console.print(text)


def _tell_interrupted(places: Places, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if not outcome.interrupted:
            continue
        line = f"interrupted in {outcome.target.title}"
        results = outcome.results
        if results is not None:
            done, selected = len(results.cases), results.header.selected
            line += (
                f": {done} of {selected} cases are in "
                f"{places.short(results.path)}"
            )
        click.echo(line, err=True)


def _update(
    places: Places,
    outcomes: Sequence[Outcome],
    quiet: bool,
) -> None:
    from plumbline.expectations import update

    by_name: dict[str, list[Results]] = {}
    for outcome in outcomes:
        if outcome.results is not None and outcome.proved:
            name = outcome.results.header.implementation.name
            by_name.setdefault(name, []).append(outcome.results)
    for all_results in by_name.values():
        change = update(places.expectation_folder, all_results)
        if not quiet or change.added:
            click.echo(change.describe(places.short(change.path)))


def _report(
    places: Places, outcomes: Sequence[Outcome], folder: Path, quiet: bool
) -> None:
    from plumbline.catalog import read_catalog
    from plumbline.report import write_report

    told = [o.results for o in outcomes if o.results is not None]
    if not told:
        return
    catalog = read_catalog(places.corpus, places.rules)
    commands = {
        o.results.label: o.target for o in outcomes if o.results is not None
    }
    page = write_report(catalog, told, folder / "report", places, commands)
    if not quiet:
        click.echo(f"report: {places.short(page)}")


