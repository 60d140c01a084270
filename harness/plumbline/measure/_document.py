# SPDX-License-Identifier: MIT
"""google-benchmark's JSON, ours and anybody's.

Ours has one entry per benchmark and process (`repetition_index` is the
process), so that any reader of that format can read it; what only we know
stands under the key `plumbline`: raw samples, pauses, machine and noise.

Invariant: a file is whole or refused. A benchmark that failed has an error
and no time; a time is a finite number above 0.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Any

from plumbline.errors import MeasurementError, UsageError
from plumbline.measure._machine import Noise, fingerprint, machine
from plumbline.measure._process import Crash, Record, split_name
from plumbline.stats import Histogram, Pauses

__all__ = ["Document", "Series", "merge", "read_document", "write_document"]

_UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_PAUSES = 4000  # kept of a series, for curves; the histogram has all


@dataclass(frozen=True)
class Series:
    """One benchmark on one implementation: a time per process or repetition,
    nanoseconds per operation."""

    name: str
    implementation: str
    cpu: Sequence[float] = ()
    real: Sequence[float] = ()
    version: int | None = None
    counters: Mapping[str, float] = field(default_factory=dict)
    raw: Sequence[Sequence[float]] = ()  # CPU time, samples of each process
    operations: float = 1
    pauses: Sequence[Pauses] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    error: str | None = None

    @property
    def full_name(self) -> str:
        return (f"{self.name}/impl:{self.implementation}"
                if self.implementation else self.name)

    def times(self, clock: str) -> Sequence[float]:
        return self.real if clock == "real" else self.cpu


@dataclass(frozen=True)
class Document:
    """A file of measurements."""

    path: Path
    context: Mapping[str, Any]
    series: Mapping[str, Series]  # by full name
    machine: Mapping[str, str] = field(default_factory=dict)
    noise: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    ours: bool = False

    @property
    def spread(self) -> float:
        """How far equal things lay apart when it was measured."""
        return float(self.noise.get("aa_spread") or 0.0)


# -- writing ----------------------------------------------------------------


def merge(rounds: Iterable[Sequence[Record]]) -> list[Series]:
    """Series of the records of several processes. One error is the error of
    the series."""
    table: dict[tuple[str, str], list[Record]] = {}
    for records in rounds:
        for one in records:
            table.setdefault((one.name, one.implementation), []).append(one)
    return [_merged(records) for records in table.values()]


def _merged(records: Sequence[Record]) -> Series:
    good = [one for one in records if not one.error]
    first = records[0]
    clocks = list(dict.fromkeys(
        p.clock for one in good for p in one.pauses))
    lists = {clock: [p for one in good for p in one.pauses
                     if p.clock == clock] for clock in clocks}
    return Series(
        name=first.name,
        implementation=first.implementation,
        cpu=tuple(min(one.cpu) for one in good),
        real=tuple(min(one.real) for one in good),
        version=first.version,
        counters=good[-1].counters if good else {},
        raw=tuple(tuple(one.cpu) for one in good),
        operations=first.operations,
        # Curves are drawn from one process: its clock is not another's.
        pauses=tuple(p[-1] for p in lists.values()),
        histograms={
            clock: sum((Histogram.of(n for _, n in p.list) for p in found),
                       Histogram())
            for clock, found in lists.items()
        },
        error=next((one.error for one in records if one.error), None),
    )


def _entries(series: Series) -> list[dict[str, Any]]:
    head = {"name": series.full_name, "run_name": series.full_name,
            "run_type": "iteration", "threads": 1}
    if series.error:
        return [{**head, "repetitions": 1, "repetition_index": 0,
                 "error_occurred": True, "error_message": series.error}]
    return [
        {
            **head,
            "repetitions": len(series.cpu),
            "repetition_index": index,
            "iterations": int(series.operations),
            "real_time": real,
            "cpu_time": cpu,
            "time_unit": "ns",
            "process_cpu_ns": cpu,
            "version": series.version,
            **series.counters,
        }
        for index, (cpu, real) in enumerate(zip(series.cpu, series.real))
    ]


def _own(series: Series) -> dict[str, Any]:
    value: dict[str, Any] = {"samples_ns": [list(x) for x in series.raw]}
    if series.pauses:
        value["pauses"] = [
            {"clock": p.clock, "span": p.span,
             "list": [list(x) for x in p.list[:_PAUSES]],
             "left_out": max(0, len(p.list) - _PAUSES)}
            for p in series.pauses
        ]
        value["histograms"] = {
            clock: one.to_json() for clock, one in series.histograms.items()
        }
    return value


def write_document(
    path: Path,
    series: Sequence[Series],
    context: Mapping[str, Any],
    noise: Noise,
    command: str,
    problems: Sequence[Crash] = (),
) -> Path:
    """Write a file, whole or not at all."""
    here = machine()
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    value = {
        "context": {"date": now, "host_name": "", "num_cpus": os.cpu_count(),
                    "library_build_type": "release", **context},
        "benchmarks": [entry for one in series for entry in _entries(one)],
        "plumbline": {
            "format": 1,
            "command": command,
            "machine": here,
            "fingerprint": fingerprint(here),
            "noise": noise.to_json(),
            "crashed": [str(crash) for crash in problems],
            "series": {one.full_name: _own(one) for one in series},
        },
    }
    write_whole(path, json.dumps(value, indent=1) + "\n")
    return path


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(".part", ".", path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


# -- reading ----------------------------------------------------------------


def read_document(path: Path) -> Document:
    """Read any google-benchmark file; UsageError where there is none,
    MeasurementError where it is truncated, foreign or proves nothing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            place=str(path)) from error
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        cut = "it is truncated" if error.pos >= len(text.rstrip()) else (
            f"line {error.lineno}: {error.msg}")
        raise MeasurementError(
            f"this is no whole JSON: {cut}", place=str(path),
            remedy="measure again, and let the program end") from error
    try:
        return _document(path, value)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MeasurementError(
            f"this is no google-benchmark file: {error!r}",
            place=str(path)) from error


def _document(path: Path, value: Mapping[str, Any]) -> Document:
    entries = [e for e in value["benchmarks"]
               if e.get("run_type", "iteration") == "iteration"]
    if not entries:
        only = " but aggregates" if value["benchmarks"] else ""
        raise MeasurementError(
            f"there is nothing in it{only}", place=str(path),
            remedy="measure with --benchmark_repetitions=9, and without "
            "--benchmark_report_aggregates_only" if only else None)
    own = value.get("plumbline") or {}
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_name.setdefault(str(entry["name"]), []).append(entry)
    return Document(
        path=path,
        context=value.get("context", {}),
        series={
            name: _series(path, name, found,
                          own.get("series", {}).get(name, {}))
            for name, found in by_name.items()
        },
        machine=own.get("machine", {}),
        noise=own.get("noise", {}),
        command=own.get("command", ""),
        ours=bool(own),
    )


_KNOWN = {
    "name", "run_name", "run_type", "repetitions", "repetition_index",
    "threads", "iterations", "real_time", "cpu_time", "time_unit", "label",
    "family_index", "per_family_instance_index", "process_cpu_ns", "version",
    "items_per_second", "bytes_per_second", "batch", "error_occurred",
    "error_message",
}


def _series(
    path: Path, name: str, entries: Sequence[Mapping[str, Any]],
    own: Mapping[str, Any],
) -> Series:
    bare, implementation = split_name(name)
    failed = next((e for e in entries if e.get("error_occurred")), None)
    good = [e for e in entries if not e.get("error_occurred")]
    last = good[-1] if good else {}
    version = last.get("version")
    return Series(
        name=bare,
        implementation=implementation,
        cpu=tuple(_time(path, e, "process_cpu_ns" if "process_cpu_ns" in e
                        else "cpu_time") for e in good),
        real=tuple(_time(path, e, "real_time") for e in good),
        version=None if version is None else int(version),
        counters={k: float(v) for k, v in last.items()
                  if k not in _KNOWN and isinstance(v, (int, float))},
        raw=tuple(tuple(map(float, x)) for x in own.get("samples_ns", [])),
        operations=float(last.get("iterations", 1)),
        pauses=tuple(
            Pauses(p["clock"], p["span"],
                   tuple((int(b), int(n)) for b, n in p["list"]))
            for p in own.get("pauses", [])
        ),
        histograms={k: Histogram.from_json(v)
                    for k, v in own.get("histograms", {}).items()},
        error=str(failed.get("error_message", "it failed")) if failed
        else None,
    )


def _time(path: Path, entry: Mapping[str, Any], key: str) -> float:
    unit = 1.0 if key == "process_cpu_ns" else _UNITS[
        entry.get("time_unit", "ns")]
    time = float(entry[key]) * unit
    if time < 0:
        raise MeasurementError(
            f"{entry['name']}: the clock went backwards ({key} is "
            f"{entry[key]})", place=str(path))
    if not isfinite(time):
        raise MeasurementError(f"{entry['name']}: {key} is no number",
                               place=str(path))
    return time
