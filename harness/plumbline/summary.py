# SPDX-License-Identifier: MIT
"""Counts of verdicts: the numbers behind the terminal table and the report.

One rule for every denominator: a case counts when it was selected, whatever
became of it; only a disputed case is shown and never counted. So a number
cannot get better because something became unsupported or timed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plumbline.results import CaseResult, Results

__all__ = ["LEVELS", "MARKS", "Tally", "Row", "rows", "tally"]

LEVELS = ("MUST", "SHOULD", "MAY", "OBSERVED")

# verdict: (symbol, what it means); one list for terminal and report.
MARKS = {
    "pass": ("✓", "pass"),
    "fail": ("✗", "a trace that the pattern does not allow"),
    "timeout": ("◷", "no end within the time limit"),
    "crash": ("☠", "the implementation died"),
    "error": ("!", "the adapter said so, or broke the protocol"),
    "leaked": ("⚑", "left processes or descriptors behind"),
    "flaky": ("≈", "allowed and forbidden traces both seen"),
    "differs": ("≠", "not the trace that was observed elsewhere"),
    "inconclusive": ("?", "the precondition did not arise"),
    "disputed": ("§", "quarantined: shown, never counted"),
    "unsupported": ("–", "needs what is not promised"),
}


@dataclass(frozen=True)
class Tally:
    """The verdicts of some cases on one implementation."""

    counted: int = 0
    passed: int = 0
    unexpected: int = 0
    known: int = 0
    differs: int = 0
    inconclusive: int = 0
    unsupported: int = 0
    disputed: int = 0


@dataclass(frozen=True)
class Row:
    """One line of a table: a name, and a tally per implementation."""

    name: str
    tallies: Sequence[Tally]


def tally(cases: Iterable[CaseResult]) -> Tally:
    """Count some cases; every case is in exactly one of the groups."""
    counts = dict.fromkeys(Tally.__dataclass_fields__, 0)
    for case in cases:
        counts["counted"] += case.verdict != "disputed"
        counts[_group(case)] += 1
    return Tally(**counts)


def _group(case: CaseResult) -> str:
    if case.unexpected:
        return "unexpected"
    if case.verdict == "pass":
        return "passed"
    if case.verdict in ("differs", "inconclusive", "unsupported", "disputed"):
        return case.verdict
    return "known"


def rows(all_results: Sequence[Results]) -> list[Row]:
    """A row per area, or, where there is only one area, per topic; then the
    total where there is more than one row."""
    ids = {case.id for r in all_results for case in r.cases.values()}
    parts = 1 if len({i.split("/", 1)[0] for i in ids}) > 1 else 2
    names = sorted({"/".join(i.split("/")[:parts]) for i in ids})
    table = [
        Row(
            name,
            [
                tally(
                    case
                    for case in results.cases.values()
                    if case.id.startswith(name + "/")
                )
                for results in all_results
            ],
        )
        for name in names
    ]
    if len(table) > 1:
        totals = [tally(r.cases.values()) for r in all_results]
        table.append(Row("total", totals))
    return table
