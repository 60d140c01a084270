# SPDX-License-Identifier: MIT
"""Runs plumb-bench and shows implementations side by side.

What is compared is process CPU time per item: on a machine that is shared it
is the steadiest of the clocks. A benchmark that an implementation lacks is
absent, never zero. The JSON is google-benchmark's own, untouched.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from plumbline.errors import RunError
from plumbline.places import Places

__all__ = ["Measure", "bench_table", "read_measures", "run_bench"]

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Measure:
    """One benchmark on one implementation."""

    name: str
    implementation: str
    nanoseconds: float
    items_per_second: float | None
    error: str | None
    real_nanoseconds: float = 0.0
    syscalls: float | None = None


def _listed(command: Sequence[str]) -> int:
    done = subprocess.run(
        [*command, "--benchmark_list_tests=true"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    return len(done.stdout.split())


def run_bench(
    places: Places,
    providers: Sequence[Path],
    out: Path,
    pattern: str | None,
    min_time: float | None,
    progress: Progress,
    flags: Sequence[str] = (),
) -> Path:
    """Run the benchmarks of all providers into one JSON file; `flags` are
    plumb-bench's own."""
    command = [str(places.bench), *flags]
    for provider in providers:
        command += ["--provider", str(provider)]
    if pattern:
        command.append(f"--benchmark_filter={pattern}")
    total = _listed(command)
    if min_time is not None:
        command.append(f"--benchmark_min_time={min_time}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(".part", ".", out.parent)
    except OSError as error:
        raise RunError(f"cannot be written to: {error.strerror}",
                       place=str(out.parent)) from error
    os.close(handle)
    try:
        _measure([*command, f"--benchmark_out={part}",
                  "--benchmark_out_format=json"], total, progress)
        os.chmod(part, 0o644)
        os.replace(part, out)
    finally:
        Path(part).unlink(missing_ok=True)
    return out


def _measure(command: Sequence[str], total: int, progress: Progress) -> None:
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=complaints, text=True, errors="replace",
        )
        assert process.stdout is not None
        try:
            done = 0
            for line in process.stdout:
                done += "/impl:" in line
                progress(done, total)
            status = process.wait()
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise
        complaints.seek(0)
        said = complaints.read().strip()
    if status:
        last = "\n  ".join(said.splitlines()[-5:])
        raise RunError(
            f"the benchmarks ended with {status}: {last or 'no message'}",
            place=command[0],
        )


def read_measures(path: Path) -> list[Measure]:
    """The measures of a google-benchmark file; the name's last part says
    whose they are."""
    value = json.loads(path.read_text(encoding="utf-8"))
    return [
        _one(entry) for entry in value["benchmarks"]
        if entry.get("run_type", "iteration") == "iteration"
    ]


def _one(entry: dict[str, Any]) -> Measure:
    name, _, implementation = entry["name"].rpartition("/impl:")
    return Measure(
        name=name or entry["name"],
        implementation=implementation,
        nanoseconds=float(entry.get("process_cpu_ns", entry.get("cpu_time",
                                                                0.0))),
        items_per_second=entry.get("items_per_second"),
        error=entry.get("error_message"),
        real_nanoseconds=float(entry.get("real_time", 0.0)),
        syscalls=entry.get("syscalls"),
    )


def _time(nanoseconds: float) -> str:
    for unit, size in (("ns", 1.0), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < size * 1000:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def bench_table(measures: Sequence[Measure]) -> Table:
    """Benchmarks against implementations; the ratio is to the last one."""
    names = list(dict.fromkeys(m.name for m in measures))
    who = list(dict.fromkeys(m.implementation for m in measures))
    by_key = {(m.name, m.implementation): m for m in measures}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    counted = any(m.syscalls is not None for m in measures)
    also = ", system calls" if counted else ""
    table.add_column(f"CPU time per item{also}", no_wrap=True)
    for one in who:
        table.add_column(one, justify="right", no_wrap=True)
    if len(who) > 1:
        table.add_column(f"{who[0]} takes", justify="right", no_wrap=True)
    for name in names:
        found = [by_key.get((name, one)) for one in who]
        best = min((m.nanoseconds for m in found if m and not m.error),
                   default=0.0)
        cells = [_cell(m, best, len(who)) for m in found]
        table.add_row(name, *cells, *_ratio(found))
    return table


def _cell(measure: Measure | None, best: float, many: int) -> Text:
    if measure is None:
        return Text("–", "dim")
    if measure.error:
        return Text(measure.error, "bold red")
    fastest = many > 1 and measure.nanoseconds == best
    text = Text(_time(measure.nanoseconds), "green" if fastest else "")
    if measure.syscalls is not None:
        text.append(f" {_count(measure.syscalls):>5}", "dim")
    return text


def _count(calls: float) -> str:
    """System calls per operation."""
    return f"{calls:.3g}" if calls >= 0.0005 else "0"


def _ratio(found: Sequence[Measure | None]) -> list[Text]:
    first, last = found[0], found[-1]
    if len(found) < 2:
        return []
    if not first or not last or first.error or last.error:
        return [Text("")]
    if not last.nanoseconds:
        return [Text("")]
    return [Text(f"{first.nanoseconds / last.nanoseconds:.2f} ×")]
