# SPDX-License-Identifier: MIT
"""The terminal's table, and the unexpected cases told in a few lines each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from plumbline.results import CaseResult, Results, Trace, show_event
from plumbline.summary import MARKS, Row, Tally, rows

__all__ = ["print_table", "print_unexpected", "violation"]

# (field of a tally, symbol, style, meaning)
_PARTS = (
    ("unexpected", "✗", "bold red", "unexpected"),
    ("known", "×", "yellow", "known failure"),
    ("differs", "≠", "cyan", "differs from what was observed"),
    ("inconclusive", "?", "yellow", "inconclusive"),
    ("unsupported", "–", "dim", "unsupported"),
    ("disputed", "§", "magenta", "disputed, not counted"),
)
_EVENTS = 12  # of a trace that are shown around the violation


def _cell(tally: Tally) -> Text:
    if not tally.counted and not tally.disputed:
        return Text("·", style="dim")
    style = "bold red" if tally.unexpected else "green"
    text = Text()
    text.append(f"{tally.passed}/{tally.counted}", style=style)
    for name, mark, part_style, _ in _PARTS:
        count = getattr(tally, name)
        if count:
            text.append(f" {mark}{count}", style=part_style)
    return text


def _legend(table: Sequence[Row]) -> Text:
    used = Text(style="dim")
    for name, mark, _, meaning in _PARTS:
        if any(getattr(t, name) for row in table for t in row.tallies):
            used.append(f"{'   ' if used else ''}{mark} {meaning}")
    return used


_TITLE = "passed / selected"
_GAP = 2  # between columns


def _head(results: Results) -> Text:
    head = Text(results.label)
    if not results.complete:
        head.append(" (interrupted)", style="yellow")
    return head


def _pieces(widths: Sequence[int], room: int) -> list[range]:
    """Which columns stand beside each other, in order; one is always let in,
    however narrow the terminal."""
    pieces = [range(0, 0)]
    used = 0
    for index, width in enumerate(widths):
        used += width + _GAP
        if used > room and len(pieces[-1]):
            pieces.append(range(index, index))
            used = width + _GAP
        pieces[-1] = range(pieces[-1].start, index + 1)
    return pieces


def print_table(console: Console, all_results: Sequence[Results]) -> None:
    """Areas (or the topics of the only area) against implementations, in as
    many pieces as the width asks for."""
    lines = rows(all_results)
    heads = [_head(results) for results in all_results]
    cells = [list(map(_cell, row.tallies)) for row in lines]
    widths = [max(text.cell_len for text in column)
              for column in zip(heads, *cells)]
    longest = max(len(name) for name in (_TITLE, *(r.name for r in lines)))
    for piece in _pieces(widths, console.width - longest):
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
        table.add_column(_TITLE, style="bold", no_wrap=True)
        for index in piece:
            table.add_column(heads[index])
        for row, texts in zip(lines, cells):
            table.add_row(row.name, *(texts[index] for index in piece),
                          style="bold" if row.name == "total" else "")
        if piece.start:
            console.print()
        console.print(table)
    legend = _legend(lines)
    if legend:
        console.print(legend)


def violation(case: CaseResult) -> Trace | None:
    """The trace to show: a forbidden one, else the first."""
    for trace in case.traces:
        if not trace.allowed:
            return trace
    return case.traces[0] if case.traces else None


def _trace_line(case: CaseResult, trace: Trace) -> Text:
    """The trace in one line, the violated event in red."""
    events = [show_event(event) for event in trace.events]
    at = case.explanation.at if case.explanation else None
    first = 0 if at is None else max(0, min(at, len(events)) - _EVENTS // 2)
    text = Text("trace: ", style="dim")
    if first:
        text.append("… ")
    for index, event in enumerate(events[first : first + _EVENTS], first):
        text.append("  " if index > first else "")
        text.append(event, style="bold red" if index == at else "default")
    if first + _EVENTS < len(events):
        text.append("  …")
    elif at is not None and at >= len(events):
        text.append("  (ends here)", style="bold red")
    elif not events:
        text.append("(no event)")
    return text


def _why(case: CaseResult) -> list[Text]:
    wanted = " or ".join(case.expected)
    head = Text()
    if case.verdict == "pass":
        head.append(f"passes, but {wanted} is expected")
        head.append(f": {case.reason}" if case.reason else "")
        return [head]
    head.append(case.verdict, style="bold red")
    if case.expected != ("pass",):
        head.append(f" (expected {wanted})")
    if case.explanation:
        head.append(f": {case.explanation.summary}")
    lines = [head]
    trace = violation(case)
    if trace is not None and case.verdict in ("fail", "flaky", "differs"):
        lines.append(_trace_line(case, trace))
    if case.detail:
        lines.append(Text(case.detail.strip()))
    if case.stderr and case.verdict in ("crash", "error", "timeout"):
        last = case.stderr.strip().splitlines()[-3:]
        lines += [Text(f"stderr: {line}", style="dim") for line in last]
    return lines


def print_unexpected(
    console: Console,
    all_results: Sequence[Results],
    commands: Mapping[tuple[str, str], str],
    limit: int = 20,
) -> int:
    """Tell every unexpected case, grouped over implementations; gives how
    many there are. `commands` has a command for (label, case id)."""
    found: dict[str, list[tuple[str, CaseResult]]] = {}
    for results in all_results:
        for case in results.unexpected():
            found.setdefault(case.id, []).append((results.label, case))
    for number, (case_id, told) in enumerate(found.items()):
        if number == limit:
            console.print(
                f"\n… and {len(found) - limit} more cases: see the report"
            )
            break
        console.print()
        _block(console, case_id, told, commands)
    return sum(len(told) for told in found.values())


def _indented(text: Text, by: int) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)


def _block(
    console: Console,
    case_id: str,
    told: Sequence[tuple[str, CaseResult]],
    commands: Mapping[tuple[str, str], str],
) -> None:
    first = told[0][1]
    console.print(Text.assemble(
        (f"{MARKS['fail'][0]} {case_id}", "bold"),
        (f"  {first.rule} {first.level}", "dim"),
    ), soft_wrap=True)
    for label, case in told:
        lines = _why(case)
        lines[0] = Text.assemble((f"{label}: ", "bold"), lines[0])
        console.print(_indented(lines[0], 2))
        for line in lines[1:]:
            console.print(_indented(line, 4))
    command = commands.get((told[0][0], case_id))
    if command:
        # In one line, however long, so that it can be copied.
        console.print(Text(f"  again: {command}", "cyan"), soft_wrap=True)
