# SPDX-License-Identifier: MIT
"""`plumbline accept`: make the counters of here the committed ones."""

from __future__ import annotations

from datetime import date

import click

from plumbline.errors import UsageError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline accept --reason "a timer keeps its list's head"
  plumbline accept --check               what would change
"""


@click.command("accept", epilog=_EPILOG)
@click.option("--reason", metavar="TEXT", help="Why they are what they are.")
@click.option("--check", is_flag=True, help="Change nothing.")
def command(reason: str | None, check: bool) -> int:
    """Count what the benchmarks count, and commit to it.

    What agrees in three runs is written to reports/baselines/ref.json; from
    then on `plumbline gate` fails where a counter is more than that. The
    change is reviewed like any other.
    """
    from plumbline.commands.gate import _selected, counting
    from plumbline.gate import (
        accept,
        check_exact,
        count,
        read_baseline,
        read_config,
    )
    from plumbline.gate._build import LIBRARY
    from plumbline.gate._table import counter_table
    from plumbline.measure import list_benchmarks
    from plumbline.places import find_places
    from plumbline.terminal import bars, output

    if not check and not (reason or "").strip():
        raise UsageError("a change of what is accepted needs a --reason")
    places = find_places()
    config = read_config(places.root / "bench" / "gate.yaml")
    offered = list_benchmarks(places.bench, [places.built(LIBRARY)])
    (speaks, names), = offered.items()
    with bars() as make:
        counters = count(counting(places, speaks),
                         _selected(names, config.exact, None), 3,
                         make("counters"))
    path = places.root / "reports" / "baselines" / "ref.json"
    if check:
        found = check_exact(read_baseline(path), counters, [], date.today(),
                            None)
        lines = [line for line in found.lines if line.kind != "varies"]
    else:
        lines, found = accept(path, counters, (reason or "").strip(),
                              date.today())
    console = output()
    if lines:
        console.print(counter_table(lines))
    for name, how in found.problems.items():
        console.print(f"{name}: {how}", style="red")
    verb = "would change" if check else "changed"
    click.echo(f"{len(lines)} of {len(counters.values)} counters {verb}; "
               f"{len(counters.varying)} vary and are left out")
    click.echo(f"baseline: {places.short(path)}")
    return 1 if found.problems else 0
