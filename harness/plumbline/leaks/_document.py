# SPDX-License-Identifier: MIT
"""leaks.json read, and told as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from plumbline.errors import ResultsError

__all__ = ["FORMAT", "growth", "leak_table", "outside_table", "read_leaks"]

FORMAT = 1


def read_leaks(path: Path) -> Mapping[str, Any]:
    """A file of `bench --leaks`. ResultsError where it is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"cannot be read: {error}",
                           place=str(path)) from error
    if not isinstance(value, dict) or value.get("format") != FORMAT or not \
            all(isinstance(value.get(key), list)
                for key in ("runs", "outside", "skipped")):
        raise ResultsError("this is no file of `plumbline bench --leaks`",
                           place=str(path))
    return value


def growth(run: Mapping[str, Any]) -> float:
    """Bytes a round by which more was in use after each full collection."""
    left = [float(sample["inUse"]) for sample in run.get("samples", ())
            if sample["at"] == "collection"]
    return (left[-1] - left[0]) / (len(left) - 1) if len(left) > 1 else 0.0


def _size(value: float) -> str:
    for unit, width in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(value) >= width:
            return f"{value / width:+,.1f} {unit}"
    return f"{value:+,.0f} B"


def _time(value: float) -> str:
    for unit, width in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value >= width:
            return f"{value / width:.3g} {unit}"
    return f"{value:.0f} ns"


def leak_table(value: Mapping[str, Any]) -> Table:
    """A line per leak and implementation, before and after the cure."""
    table = Table(title="growth a round, verdict; whom a comparison names")
    for name in ("leak", "implementation", "before", "after the cure",
                 "memwatch", "named"):
        table.add_column(name)
    cured = {(run["implementation"], run["leak"]): run
             for run in value["runs"] if run["state"] == "cured"}
    order = list(dict.fromkeys(run["leak"] for run in value["runs"]))
    for run in sorted((r for r in value["runs"] if r["state"] == "leaks"),
                      key=lambda r: order.index(r["leak"])):
        after = cured.get((run["implementation"], run["leak"]), {})
        table.add_row(
            run["leak"], run["implementation"], _cell(run), _cell(after),
            f"{run.get('memwatch', '?')}, {after.get('memwatch', '?')}",
            _named(run))
    return table


def _named(run: Mapping[str, Any]) -> str:
    """The constructor that a comparison names; where it is another than that
    of what leaked, how many more there are of that one, too."""
    comparison = run.get("comparison") or {}
    more = f"+{comparison.get('more', 0):,}"
    if comparison.get("named") == run.get("culprit"):
        return f"{run.get('culprit')} {more}"
    return f"{comparison.get('named')}; {run.get('culprit')} {more}"


def _cell(run: Mapping[str, Any]) -> str:
    if "verdict" not in run:
        return str(run.get("problem", "?"))
    return f"{_size(growth(run))}, {run['verdict']}"


def outside_table(value: Mapping[str, Any]) -> Table:
    """A line per arm of the cache."""
    table = Table(title="a cache in the process, or in Redis: medians")
    for name in ("entries", "implementation", "where", "full collection",
                 "longest stop", "get", "99%", "heap", "server"):
        table.add_column(name, justify="left" if name in (
            "implementation", "where") else "right")
    for arm in value["outside"]:
        head = (f"{arm['entries']:,}", arm["implementation"], arm["where"])
        if "problem" in arm:
            table.add_row(*head, arm["problem"])
            continue
        table.add_row(
            *head, _time(arm["stops"]["p50"]), _time(arm["stops"]["max"]),
            _time(arm["gets"]["p50"]), _time(arm["gets"]["p99"]),
            _size(arm["heapUsed"]).lstrip("+"),
            _size(arm["serverUsed"]).lstrip("+"))
    return table
