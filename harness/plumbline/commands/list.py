# SPDX-License-Identifier: MIT
"""`plumbline list`: what there is, one line each, for eyes and for pipes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from plumbline.completing import complete_cases
from plumbline.errors import UsageError

if TYPE_CHECKING:
    from plumbline.catalog import Catalog
    from plumbline.places import Places

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline list                            every case
  plumbline list cases --select loop/timeouts --level MUST
  plumbline list rules --area loop
  plumbline list operations --needs loop.timer
  plumbline list implementations
  plumbline list cases | grep immediate
"""

_LEVELS = click.Choice(["MUST", "SHOULD", "MAY", "OBSERVED"])
_KINDS = click.Choice(["cases", "rules", "operations", "implementations"])


@click.command("list", epilog=_EPILOG)
@click.argument("kind", type=_KINDS, default="cases")
@click.option("--select", multiple=True, metavar="GLOB",
              shell_complete=complete_cases,
              help="Only these cases: glob, subtree or rule id.")
@click.option("--area", metavar="AREA", help="Only this area.")
@click.option("--level", type=_LEVELS, help="Only this level.")
@click.option("--needs", metavar="CAPABILITY",
              help="Only what needs this capability.")
def command(
    kind: str,
    select: tuple[str, ...],
    area: str | None,
    level: str | None,
    needs: str | None,
) -> int:
    """List cases, rules, operations or implementations."""
    from plumbline.places import find_places

    places = find_places()
    if kind == "implementations":
        _print(_implementations(places))
        return 0
    if kind == "operations":
        _print(_operations(places, needs))
        return 0
    from plumbline.catalog import must_select, read_catalog
    from plumbline.catalog import select as choose

    catalog = read_catalog(places.corpus, places.rules)
    must_select(catalog, select)
    if area is not None and area not in catalog.areas:
        raise UsageError(f"there is no area '{area}'",
                         remedy=f"areas: {', '.join(catalog.areas)}")
    cases = [
        case for case in choose(catalog, select)
        if area in (None, case.area)
        and level in (None, case.level)
        and (needs is None or needs in case.needs)
    ]
    if kind == "cases":
        rows = [(c.id, c.rule, c.level) for c in cases]
    else:
        rows = _rules(catalog, {c.rule for c in cases})
    if not rows:
        raise UsageError(f"no {kind} fit these filters")
    _print(rows)
    return 0


def _rules(catalog: Catalog, wanted: set[str]) -> list[tuple[str, str, str]]:
    return [
        (rule.id, rule.level, rule.title)
        for rule in catalog.rules.values()
        if rule.id in wanted
    ]


def _operations(
    places: Places, needs: str | None
) -> list[tuple[str, str, str]]:
    from plumbline.vocabulary import read_vocabulary

    rows = [
        (name, operation.capability or "always", operation.first_sentence)
        for name, operation in
        read_vocabulary(places.vocabulary).operations.items()
        if needs in (None, operation.capability)
    ]
    if not rows:
        raise UsageError(f"no operations need '{needs}'")
    return rows


def _implementations(places: Places) -> Iterable[tuple[str, str, str]]:
    from plumbline.registry import read_registry

    registry = read_registry(places)
    for entry in registry.entries.values():
        if entry.provider is not None:
            yield entry.name, entry.title, (
                f"built here: {entry.provider}" if registry.is_built(entry)
                else f"not built for want of the package {entry.package}"
            )
            continue
        found = registry.found(entry)
        for target in found:
            yield target.spec, entry.title, f"{target.version}, " \
                f"{places.short(target.executable or places.root)}"
        if not found:
            yield entry.name, entry.title, "not found; install it with: " \
                f"plumbline runtimes add {entry.runtime or entry.name}"


def _print(rows: Iterable[Sequence[str]]) -> None:
    """Columns wide enough for their longest word; the last one is free."""
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        padded = [c.ljust(w) for c, w in zip(row[:-1], widths)]
        click.echo("  ".join([*padded, row[-1]]))
