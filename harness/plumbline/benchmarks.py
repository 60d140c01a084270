# SPDX-License-Identifier: MIT
"""Runs plumb-bench as google-benchmark would have it, and shows
implementations side by side.

What is compared is process CPU time per item: on a machine that is shared it
is the steadiest of the clocks. A benchmark that an implementation lacks is
absent, never zero.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from plumbline.compare import show_time
from plumbline.errors import RunError
from plumbline.measure import Document, Series
from plumbline.measure._programs import FLOOR
from plumbline.places import Places
from plumbline.stats import median

__all__ = ["bench_table", "run_bench"]

Progress = Callable[[int, int | None], None]


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


def bench_table(document: Document) -> Table:
    """Benchmarks against implementations: the median of the processes, with
    the system calls of an operation behind it."""
    names = list(dict.fromkeys(s.name for s in document.series.values()))
    who = list(dict.fromkeys(
        s.implementation for s in document.series.values()))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    counted = any("syscalls" in s.counters for s in document.series.values())
    also = ", system calls" if counted else ""
    table.add_column(f"CPU time per item{also}", no_wrap=True,
                     min_width=max(map(len, names), default=0))
    for one in who:
        table.add_column(one, justify="right", no_wrap=True)
    peers = [n for n, one in enumerate(who) if one != FLOOR]
    if len(peers) == 2:
        table.add_column(f"{who[peers[0]]} takes", justify="right", no_wrap=True)
    for name in names:
        found = [_found(document, name, one) for one in who]
        best = min((median(s.cpu) for s in found if s and not s.error),
                   default=0.0)
        cells = [_cell(s, best, len(who)) for s in found]
        table.add_row(name, *cells, *_ratio([found[n] for n in peers]))
    return table


def _found(document: Document, name: str, who: str) -> Series | None:
    return document.series.get(f"{name}/impl:{who}" if who else name)


def _cell(series: Series | None, best: float, many: int) -> Text:
    if series is None:
        return Text("–", "dim")
    if series.error:
        return Text(series.error, "bold red")
    time = median(series.cpu)
    text = Text(show_time(time), "green" if many > 1 and time == best else "")
    if "syscalls" in series.counters:
        text.append(f" {_count(series.counters['syscalls']):>5}", "dim")
    return text


def _count(calls: float) -> str:
    """System calls per operation."""
    return f"{calls:.3g}" if calls >= 0.0005 else "0"


def _ratio(found: Sequence[Series | None]) -> list[Text]:
    """The first one's time over the second's, of two."""
    if len(found) != 2:
        return []
    first, second = found
    if not first or not second or first.error or second.error:
        return [Text("")]
    if not median(second.cpu):
        return [Text("")]
    return [Text(f"{median(first.cpu) / median(second.cpu):.2f} ×")]
