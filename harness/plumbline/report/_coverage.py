# SPDX-License-Identifier: MIT
"""Which rules have which cases, and which mutants those kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.catalog import Catalog, Rule
from plumbline.mutants import areas, read_mutants

__all__ = ["Covered", "coverage", "kills_of"]


@dataclass(frozen=True)
class Covered:
    """A rule with its cases, and the mutants that one of them kills."""

    rule: Rule
    cases: Sequence[str]
    mutants: Sequence[str]


def kills_of(folder: Path) -> dict[str, list[str]]:
    """Case to the mutants that name it as the one that kills them; the tests
    hold each of these names against a real run."""
    found: dict[str, list[str]] = {}
    for area in areas(folder):
        for mutant in read_mutants(folder, area):
            for case in mutant.killed_by:
                found.setdefault(case, []).append(mutant.id)
    return found


def coverage(
    catalog: Catalog, kills: Mapping[str, Sequence[str]]
) -> list[Covered]:
    """A line per rule, in the order of the specification."""
    cases: dict[str, list[str]] = {name: [] for name in catalog.rules}
    for case in catalog.cases.values():
        cases.setdefault(case.rule, []).append(case.id)
    return [
        Covered(
            rule, cases[name],
            sorted({m for case in cases[name] for m in kills.get(case, ())}),
        )
        for name, rule in catalog.rules.items()
    ]
