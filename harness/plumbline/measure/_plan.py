# SPDX-License-Identifier: MIT
"""How often each benchmark is to run: tried out once, then fixed.

Invariant: both sides of a comparison follow the same plan; nothing tunes
itself while it is compared.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import MeasurementError, UsageError
from plumbline.measure._process import Crash, Record, run_planned, split_name

__all__ = ["Planned", "calibrate", "list_benchmarks"]

SAMPLES = 5
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Planned:
    """One benchmark and its amount."""

    name: str
    version: int
    batches: int
    samples: int
    cost: float  # seconds that it takes, about, with what is not measured

    def line(self, implementation: str) -> str:
        return (f"{self.name}/impl:{implementation} "
                f"{self.samples} {self.batches}")


def list_benchmarks(
    bench: Path, providers: Sequence[Path], pattern: str | None = None
) -> dict[str, list[str]]:
    """Which benchmarks each implementation offers, in order. A UsageError
    where the pattern is none, or selects nothing."""
    words = [str(bench), "--no-syscalls"]
    for provider in providers:
        words += ["--provider", str(provider)]
    try:
        wanted = re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"this is no regular expression: {error}",
                         place=pattern) from error
    done = subprocess.run(
        [*words, "--benchmark_list_tests=true"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace",
    )
    if done.returncode not in (0, 2):
        raise MeasurementError(
            f"the benchmarks cannot be listed: {done.stderr.strip()}",
            place=str(bench))
    offered: dict[str, list[str]] = {}
    for full in done.stdout.split():
        name, implementation = split_name(full)
        if wanted.search(name):
            offered.setdefault(implementation, []).append(name)
    if not offered:
        said = done.stderr.strip().splitlines()
        remedy = said[-1] if said and done.returncode else None
        raise UsageError(
            f"no benchmark matches '{pattern}'" if pattern
            else "there is no benchmark to run", remedy=remedy)
    return offered


def _amount(record: Record, target: float, limit: float) -> Planned:
    """`target`: measured seconds of a sample, `limit`: all that one process
    may take for this benchmark."""
    tried = record.batches * len(record.cpu)
    batch = max(min(record.cpu) * record.operations / 1e9, 1e-7)
    whole = max(record.elapsed / 1e9 / tried, batch)
    batches = max(1, min(round(target / batch),
                         int(limit / (SAMPLES * whole)), 1_000_000))
    return Planned(record.name, record.version, batches, SAMPLES,
                   batches * SAMPLES * whole)


def calibrate(
    bench: Path,
    provider: Path,
    implementation: str,
    names: Sequence[str],
    progress: Progress,
    *,
    target: float = 0.003,
    limit: float = 0.25,
) -> tuple[list[Planned], list[Crash | Record]]:
    """Try each benchmark in a process of its own. Gives the plan, and what
    cannot be measured: crashes, and records with errors."""
    planned: list[Planned] = []
    refused: list[Crash | Record] = []
    for done, name in enumerate(names):
        progress(done, len(names))
        process = run_planned(bench, [provider],
                              [f"{name}/impl:{implementation} 2 2"])
        if process.crash:
            refused.append(process.crash)
            continue
        record = process.records[0]
        if record.error:
            refused.append(record)
        else:
            planned.append(_amount(record, target, limit))
    progress(len(names), len(names))
    return planned, refused
