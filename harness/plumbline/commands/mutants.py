# SPDX-License-Identifier: MIT
"""`plumbline mutants`: do the cases catch references that are wrong?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from plumbline.errors import UsageError

if TYPE_CHECKING:
    from plumbline.mutants import Mutant

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline mutants                    every area that has mutants
  plumbline mutants loop
  plumbline mutants loop --only stop-is-sticky
  plumbline mutants loop --full        judged with every case of the area
\b
Exit status: 0 every mutant is killed by the cases it names, 1 not so,
2 a mutant does not apply or does not compile.
"""


@click.command("mutants", epilog=_EPILOG)
@click.argument("area", nargs=-1)
@click.option("--full", is_flag=True,
              help="Judge with every case of the area, not only those named.")
@click.option("--only", multiple=True, metavar="ID",
              help="Only these mutants.")
@click.option("--timeout", type=click.IntRange(1), default=2000,
              show_default=True, metavar="MS", help="Time limit of a case.")
def command(
    area: tuple[str, ...], full: bool, only: tuple[str, ...], timeout: int
) -> int:
    """Build deliberately wrong references and check that they are caught.

    A mutant is an edit in conformance/mutants/AREA.yaml, applied to a copy of
    ref/; it names the cases that must kill it.
    """
    from plumbline.catalog import read_catalog
    from plumbline.mutants import (
        Workshop,
        judge_mutants,
        print_matrix,
        read_mutants,
    )
    from plumbline.mutants._read import areas, check_cases
    from plumbline.places import find_places
    from plumbline.registry import read_registry
    from plumbline.terminal import bars, output

    places = find_places()
    folder = places.root / "conformance" / "mutants"
    names = area or areas(folder)
    if not names:
        raise UsageError("there are no mutants", place=places.short(folder))
    by_area = {
        name: _chosen(read_mutants(folder, name, places.short(folder)), only)
        for name in names
    }
    if not any(by_area.values()):
        raise UsageError(f"no mutant is called {' or '.join(only)}")
    catalog = read_catalog(places.corpus, places.rules)
    for mutants in by_area.values():
        check_cases(mutants, catalog)
    clean = read_registry(places).resolve("ref")
    workshop = Workshop(places.root / "ref", places.build)
    good = True
    for name, mutants in by_area.items():
        if not mutants:
            continue
        with bars() as make:
            verdicts = judge_mutants(
                places, mutants, workshop, clean, [name] if full else (),
                timeout, make(f"{name} mutants"),
            )
        print_matrix(output(), verdicts)
        good = good and all(v.killed and not v.missed for v in verdicts)
    return 0 if good else 1


def _chosen(mutants: list[Mutant], only: tuple[str, ...]) -> list[Mutant]:
    return [m for m in mutants if not only or m.id in only]
