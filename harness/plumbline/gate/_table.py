# SPDX-License-Identifier: MIT
"""What a terminal and a merge request show of a gate run."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plumbline.compare import change_text, show_time, verdict_text
from plumbline.gate._exact import Exact, Line
from plumbline.gate._result import Gate, skips
from plumbline.gate._time import Timed
from plumbline.verdicts import (
    INVALID,
    REGRESSION,
    UNDECIDED,
    Change,
    percent,
)

__all__ = ["gate_tables", "headline", "markdown"]

_HEADS = {
    REGRESSION: ("slower than the base", "bold red"),
    INVALID: ("no valid measurement", "bold red"),
    UNDECIDED: ("not to be told", "bold yellow"),
    0: ("nothing is slower", "bold green"),
}


def headline(gate: Gate, status: int) -> tuple[str, str]:
    """One line, and its style."""
    said, style = _HEADS[status]
    counts: dict[str, int] = {}
    for one in gate.time.timed if gate.time else ():
        verdict = one.verdict or "not measured"
        counts[verdict] = counts.get(verdict, 0) + 1
    told = ", ".join(f"{n} {v}" for v, n in sorted(counts.items()))
    if gate.exact is not None:
        told += (", " if told else "") + (
            f"{len(gate.exact.increased)} of {gate.exact.compared} counters "
            "more")
    return f"{said}: {told}" if told else said, style


def _proof_lines(gate: Gate) -> Iterator[Text]:
    proof = gate.time.proof if gate.time else None
    if proof is None or proof.null is None or proof.canary is None:
        return
    for name, change in (("base against base", proof.null),
                         ("15% more work", proof.canary)):
        yield Text.assemble(
            (f"  {name}: ", "dim"), change_text(change), " ",
            verdict_text(change.verdict))


def _detectable(change: Change | None) -> str:
    if change is None or not isfinite(change.detectable):
        return ""
    return f"{100 * change.detectable:.0f}%"


def time_table(timed: list[Timed]) -> Table:
    """Benchmarks, the slowest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("CPU time of one", no_wrap=True)
    for name in ("base", "here", "change, 99% bounds", "sees"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in sorted(timed, key=lambda t: -t.change.estimate
                      if t.change else 1.0):
        table.add_row(
            one.name,
            show_time(one.before) if one.before else "",
            show_time(one.after) if one.after else "",
            change_text(one.change) if one.change else "",
            _detectable(one.change),
            verdict_text(one.verdict) if one.verdict
            else Text(one.problem or "", "red"))
    return table


_KINDS = {"more": "red", "waived": "yellow", "less": "green", "new": "cyan",
          "gone": "yellow", "other version": "yellow", "varies": "dim"}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}"


def counter_table(lines: list[Line]) -> Table:
    """Counters that are not what was accepted."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("counter")
    for name in ("accepted", "here"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for line in sorted(lines, key=lambda x: (list(_KINDS).index(x.kind),
                                             x.benchmark, x.counter)):
        said = Text(line.kind, _KINDS[line.kind])
        if line.note:
            said.append(f": {line.note}", "dim")
        table.add_row(f"{line.benchmark} {line.counter}",
                      _number(line.accepted), _number(line.now), said)
    return table


def _shown(exact: Exact) -> list[Line]:
    return [line for line in exact.lines if line.kind != "varies"]


def _instruction_table(gate: Gate) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("instructions of a batch", no_wrap=True)
    for name in ("base", "here", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in sorted(gate.instructions or (),
                      key=lambda i: -1.0 if i.change is None
                      else -i.change):
        table.add_row(
            one.name, _number(one.before), _number(one.after),
            "" if one.change is None else f"{100 * one.change:+.2f}%",
            Text(one.problem, "yellow") if one.problem
            else verdict_text("REGRESSED") if one.regressed else "")
    return table


def _latency_table(gate: Gate) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("pauses (advice only)", no_wrap=True)
    for name in ("p50", "p90", "p99", "p99.9", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in gate.latency:
        def show(value: int, clock: str = one.clock) -> str:
            return show_time(value) if clock == "wall" else f"{value:,}"

        table.add_row(f"{one.name} ({one.clock})", *(
            f"{show(early)} → {show(late)}"
            for _, early, late in one.quantiles()))
    return table


def gate_tables(gate: Gate, status: int) -> RenderableType:
    """Everything, the verdict last, where it is read first."""
    parts: list[RenderableType] = []
    if gate.time is not None and gate.time.timed:
        parts += [time_table(gate.time.timed), Text("")]
    if gate.instructions:
        parts += [_instruction_table(gate), Text("")]
    if gate.exact is not None and _shown(gate.exact):
        parts += [counter_table(_shown(gate.exact)), Text("")]
    if gate.latency:
        parts += [_latency_table(gate), Text("")]
    parts += [Text(line, "dim") for line in skips(gate.skipped)]
    parts += _proof_lines(gate)
    parts += [Text(f"  {fault}", "red") for fault in gate.faults]
    said, style = headline(gate, status)
    parts.append(Text(said, style))
    return Group(*parts)


def markdown(gate: Gate, status: int) -> str:
    """The summary of a merge request or a CI job."""
    said, _ = headline(gate, status)
    lines = [f"**Plumbline gate: {said}**", "",
             f"`{gate.revision}` ({gate.base[:12]}) against "
             f"{gate.head[:12]}{' with changes' if gate.dirty else ''}", ""]
    timed = gate.time.timed if gate.time else []
    if timed:
        lines += ["| benchmark | base | here | change, 99% bounds | sees | |",
                  "|---|--:|--:|--:|--:|---|"]
        for one in timed:
            change = one.change
            lines.append(
                f"| `{one.name}` | {show_time(one.before)} | "
                f"{show_time(one.after)} | "
                + (f"{percent(change.estimate)} [{percent(change.lower)}, "
                   f"{percent(change.upper)}]" if change else "")
                + f" | {_detectable(change)} | "
                f"{one.verdict or one.problem} |")
        lines.append("")
    counters = _shown(gate.exact) if gate.exact else []
    if counters:
        lines += ["| counter | accepted | here | |", "|---|--:|--:|---|"]
        lines += [
            f"| `{x.benchmark} {x.counter}` | {_number(x.accepted)} | "
            f"{_number(x.now)} | {x.kind}{': ' + x.note if x.note else ''} |"
            for x in counters]
        lines.append("")
    lines += [f"- {fault}" for fault in gate.faults]
    lines += [f"- {line}" for line in skips(gate.skipped)]
    return "\n".join(lines).rstrip() + "\n"
