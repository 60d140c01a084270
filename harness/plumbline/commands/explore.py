# SPDX-License-Identifier: MIT
"""`plumbline explore`: every trace that a program may leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.completing import complete_cases
from plumbline.errors import UsageError

if TYPE_CHECKING:
    from plumbline.catalog import Catalog
    from plumbline.exploration import Exploration, Limits
    from plumbline.places import Places

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline explore zero-timeout-and-immediate-from-main-are-unordered
  plumbline explore loop/pool/three-jobs-in-any-order
  plumbline explore mine.yaml        a program: a list of operations
  plumbline explore mine.yaml --json | jq .traces
  plumbline explore mine.yaml --slack 5    up to 5 ms may pass unasked
\b
Exit status: 0 all traces were found, 1 a limit was reached (or a case's
pattern does not allow exactly the traces), 2 it cannot be explored.
"""

_TRACES = 60


@click.command("explore", epilog=_EPILOG)
@click.argument("what", metavar="CASE|FILE", shell_complete=complete_cases)
@click.option("--json", "as_json", is_flag=True,
              help="One JSON object (an array for several programs).")
@click.option("--max-runs", type=click.IntRange(1, 100_000_000), metavar="N",
              help="Give up after so many replays (300000).")
@click.option("--slack", type=click.IntRange(0, 1000), metavar="MS",
              help="Time that may pass unasked in a run, in all (2).")
@click.option("--late", type=click.IntRange(0, 1000), metavar="MS",
              help="How late a job of the pool may begin, and end (10).")
@click.option("--any-order", is_flag=True,
              help="Free the orders that are only usual: of handles of one "
              "phase, close callbacks, signals. Cases of rules that promise "
              "something are explored so anyway.")
def command(
    what: str, as_json: bool, max_runs: int | None, slack: int | None,
    late: int | None, any_order: bool,
) -> int:
    """Print every trace that a program may leave, and what decides.

    The reference runs the program over a virtual loop, again and again, with
    every choice of what happens: how much time passes, which requests end and
    when, which event is served first. CASE is a case's id, whole or short;
    FILE a YAML or JSON file with a program or with cases.
    """
    from plumbline.exploration import Limits
    from plumbline.places import find_places

    places = find_places()
    limits = Limits(max_runs, slack, late, any_order)
    if Path(what).is_file():
        return _file(places, Path(what), limits, as_json)
    return _case(places, what, limits, as_json)


def _find(catalog: Catalog, name: str) -> list[str]:
    from difflib import get_close_matches

    if name in catalog.cases:
        return [name]
    found = [c.id for c in catalog.cases.values() if c.short == name]
    if found:
        return found
    if name.endswith((".yaml", ".yml", ".json")):
        raise UsageError("no such file", place=name)
    known = [*catalog.cases, *(c.short for c in catalog.cases.values())]
    near = list(dict.fromkeys(get_close_matches(name, known, n=3)))
    raise UsageError(
        f"no case and no file is called '{name}'",
        remedy=f"did you mean {' or '.join(near)}?" if near
        else "see:  plumbline list cases")


def _case(places: Places, name: str, limits: Limits, as_json: bool) -> int:
    from plumbline.catalog import read_catalog
    from plumbline.exploration import explore_case, verdict_on_case

    status = 0
    shown: list[tuple[str, Exploration]] = []
    for case in _find(read_catalog(places.corpus, places.rules), name):
        found = explore_case(places, case, limits)
        shown.append((case, found))
        status = max(status, 1 if found.limit else 0)
        if as_json:
            continue
        _show(case, found)
        wrong = None if found.limit else verdict_on_case(places, case, limits)
        if found.limit:
            continue
        click.echo()
        click.echo(wrong or "The case's pattern allows exactly "
                   + ("this." if len(found.traces) == 1 else "these."))
        status = 1 if wrong else status
    if as_json:
        _json(shown)
    return status


def _file(places: Places, path: Path, limits: Limits, as_json: bool) -> int:
    from plumbline.corpus._loose import read_programs
    from plumbline.exploration import explore_program

    status = 0
    shown: list[tuple[str, Exploration]] = []
    for item in read_programs(places.root, path):
        found = explore_program(places, item.program, item.files, limits)
        shown.append((item.name, found))
        status = max(status, 1 if found.limit else 0)
        if not as_json:
            _show(item.name, found)
    if as_json:
        _json(shown)
    return status


def _json(shown: list[tuple[str, Exploration]]) -> None:
    import json

    values = [{"name": name, **found.raw} for name, found in shown]
    click.echo(json.dumps(values[0] if len(values) == 1 else values,
                          ensure_ascii=False))


def _show(name: str, found: Exploration) -> None:
    from rich.text import Text

    from plumbline.exploration import tree_lines
    from plumbline.results import show_event
    from plumbline.terminal import output

    console = output()

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    count = len(found.traces)
    line(name, "bold")
    line(f"  {count} trace{'s' if count != 1 else ''} in {found.runs} runs "
         f"({found.states} states, {found.per_second:,.0f} runs/s)")
    if found.limit:
        line(f"  {found.limit.split(': ')[0]}: these are not all", "bold red")
    line("")
    for number, trace in enumerate(found.traces[:_TRACES], 1):
        events = "  ".join(map(show_event, trace)) or "(no event)"
        line(f"{number:4}  {events}")
    if count > _TRACES:
        line(f"      … and {count - _TRACES} more; --json has all")
    if count > 1:
        line("")
        for text in tree_lines(found):
            line(f"  {text}")
