# SPDX-License-Identifier: MIT
"""The kill matrix in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plumbline.mutants._judge import Verdict

__all__ = ["print_matrix"]


def _cases(verdicts: Sequence[Verdict]) -> list[str]:
    return sorted({
        case for v in verdicts for case in (*v.kills, *v.missed)
    })


def _grid(numbered: Sequence[tuple[int, Verdict]]) -> Table:
    """Cases that kill something against mutants, by their numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("killed by", no_wrap=True)
    for number, _ in numbered:
        table.add_column(str(number), justify="right")
    for case in _cases([verdict for _, verdict in numbered]):
        cells = []
        for _, verdict in numbered:
            named = case in verdict.mutant.killed_by
            if case in verdict.kills:
                cells.append(Text("✗", "bold green" if named else "green"))
            elif named:
                cells.append(Text("!", "bold red"))
            else:
                cells.append(Text("·", "dim"))
        table.add_row(case, *cells)
    return table


def _print_grids(console: Console, verdicts: Sequence[Verdict]) -> None:
    """The matrix, in as many pieces as the width asks for; a piece has the
    cases that kill one of its mutants."""
    longest = max((len(case) for case in _cases(verdicts)), default=0)
    column = len(str(len(verdicts))) + 1
    fitting = max(1, (console.width - longest - 1) // column)
    numbered = list(enumerate(verdicts, 1))
    for start in range(0, len(numbered), fitting):
        console.print()
        console.print(_grid(numbered[start:start + fitting]))


def print_matrix(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Each mutant with what became of it, the matrix, and the count."""
    listed = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0),
                   show_header=False)
    for wrapped in (False, False, False, True):
        listed.add_column(no_wrap=not wrapped)
    for number, verdict in enumerate(verdicts, 1):
        state = Text("killed", "green")
        if not verdict.killed:
            state = Text("SURVIVED", "bold red")
        elif verdict.missed:
            state = Text("killed, but not as named", "bold red")
        elif verdict.attempts > 1:
            state = Text(f"killed when judged {verdict.attempts} times",
                         "yellow")
        listed.add_row(str(number), verdict.mutant.id, state,
                       Text(verdict.mutant.why, "dim"))
    console.print(listed)
    _print_grids(console, verdicts)
    for verdict in verdicts:
        if verdict.missed:
            console.print(Text(
                f"{verdict.mutant.place}: {verdict.mutant.id} is not killed "
                f"by {', '.join(verdict.missed)}", "red"))
    killed = sum(verdict.killed for verdict in verdicts)
    console.print(f"\nkilled {killed} of {len(verdicts)}")
