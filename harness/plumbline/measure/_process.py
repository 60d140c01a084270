# SPDX-License-Identifier: MIT
"""One process of plumb-bench that follows a plan.

Invariant: whatever becomes of the process, the records that it had finished
are kept, and the benchmark that was running when it died is named.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import MeasurementError
from plumbline.stats import Pauses

__all__ = ["Crash", "Process", "Record", "run_planned"]

_LIMIT = 600.0  # seconds for one process


@dataclass(frozen=True)
class Record:
    """What one benchmark gave in one process. Times are of an operation."""

    name: str  # without the implementation
    implementation: str
    version: int
    operations: int  # of one batch
    batches: int  # of one sample
    cpu: Sequence[float]  # nanoseconds, a number per sample
    real: Sequence[float]
    counters: Mapping[str, float]
    pauses: Sequence[Pauses]
    involuntary: int
    elapsed: float  # nanoseconds, with everything that is not measured
    error: str | None = None


@dataclass(frozen=True)
class Crash:
    """A benchmark that took its process with it."""

    name: str
    implementation: str
    how: str

    def __str__(self) -> str:
        return f"{self.name} on {self.implementation} {self.how}"


@dataclass(frozen=True)
class Process:
    """What became of one process."""

    records: Sequence[Record]
    crash: Crash | None = None


def split_name(full: str) -> tuple[str, str]:
    """`a/n:1/impl:ref` is (`a/n:1`, `ref`)."""
    name, _, implementation = full.rpartition("/impl:")
    return (name, implementation) if name else (full, "")


def _record(line: Mapping[str, Any]) -> Record:
    name, implementation = split_name(line["name"])
    operations = line["batch"] * line["batches"]
    if any(time < 0 for time in (*line["cpu_ns"], *line["real_ns"])):
        raise MeasurementError("the clock went backwards",
                               place=line["name"])
    return Record(
        name=name,
        implementation=implementation,
        version=line["version"],
        operations=line["batch"],
        batches=line["batches"],
        cpu=tuple(ns / operations for ns in line["cpu_ns"]),
        real=tuple(ns / operations for ns in line["real_ns"]),
        counters=line["counters"],
        pauses=tuple(
            Pauses(one["clock"], one["span"],
                   tuple((b, n) for b, n in one["list"]))
            for one in line["pauses"]
        ),
        involuntary=line["involuntary"],
        elapsed=line["elapsed_ns"],
        error=line["error"],
    )


def _read(path: Path) -> tuple[list[Record], str | None]:
    """The whole records, and what had begun and did not end."""
    records: list[Record] = []
    open_name: str | None = None
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return [], None
    for part in text.splitlines(keepends=True):
        if not part.endswith("\n"):
            break
        line = json.loads(part)
        if "begin" in line:
            open_name = line["begin"]
        else:
            records.append(_record(line))
            open_name = None
    return records, open_name


def _how(status: int | None) -> str:
    if status is None:
        return f"did not end within {_LIMIT:.0f} s"
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"ended its process by {name}"
    return f"ended its process with status {status}"


def run_planned(
    bench: Path,
    providers: Sequence[Path],
    plan: Sequence[str],
    *,
    extra: float = 0.0,
    syscalls: bool = False,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    limit: float = _LIMIT,
) -> Process:
    """Run the lines of a plan; `extra` is a percentage of wasted work.

    Raises MeasurementError where the process said that it cannot do the plan
    at all.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        plan_file, raw = Path(folder, "plan"), Path(folder, "raw")
        plan_file.write_text("".join(f"{line}\n" for line in plan))
        words = [*prefix, str(bench)]
        for provider in providers:
            words += ["--provider", str(provider)]
        words += ["--plan", str(plan_file), "--raw", str(raw)]
        if extra:
            words += ["--extra", f"{extra:g}"]
        if not syscalls:
            words.append("--no-syscalls")
        status, said = _run(words, env, limit)
        records, open_name = _read(raw)
    if open_name is not None:
        name, implementation = split_name(open_name)
        return Process(records, Crash(name, implementation, _how(status)))
    if status is None or status < 0 or status > 1 or not records:
        why = said.strip().splitlines()[-1:] or ["no message"]
        raise MeasurementError(
            f"the benchmarks {_how(status).replace('its process ', '')}: "
            f"{why[0]}", place=str(bench))
    return Process(records)


def _run(
    words: Sequence[str], env: Mapping[str, str] | None, limit: float
) -> tuple[int | None, str]:
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=complaints, env={**os.environ, **(env or {})},
        )
        status: int | None
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        complaints.seek(0)
        text = complaints.read()
    # google-benchmark prints its context on stderr, too.
    lines = [x for x in text.splitlines() if x.startswith("plumb-bench:")]
    return status, "\n".join(lines or text.splitlines()[-3:])
