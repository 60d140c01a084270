# SPDX-License-Identifier: MIT
"""Runs stages one after the other, each with a log, and sums them up."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from plumbline.errors import UsageError
from plumbline.places import Places
from plumbline.selftest._stage import Bench, Count, Stage
from plumbline.selftest._stages import counted

__all__ = ["Options", "run_stages"]

_GRACE = 10.0
_SHOWN = 40  # lines of a failed stage's log, or failures that are named
_SAID = 200  # lines of what the failed tests told


@dataclass(frozen=True)
class Options:
    """Which stages, and whether the first failure ends it."""

    full: bool = False
    only: Sequence[str] = ()
    fail_fast: bool = False


def _runner(places: Places, log: Path) -> Bench:
    def run(words: Sequence[str]) -> int:
        """One command in the checkout; its output goes to the log."""
        with log.open("ab") as file:
            file.write(f"$ {' '.join(words)}\n".encode())
            file.flush()
            try:
                process = subprocess.Popen(
                    words, cwd=places.root, stdin=subprocess.DEVNULL,
                    stdout=file, stderr=file,
                    env={**os.environ, "PLUMBLINE_BUILD": str(places.build)},
                )
            except FileNotFoundError:
                file.write(f"{words[0]} is missing\n".encode())
                return 127
            try:
                return process.wait()
            except KeyboardInterrupt:
                # It shares our terminal and has had the same Ctrl-C.
                try:
                    process.wait(_GRACE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                raise

    return Bench(places, log, run)


def _pick(every: Sequence[Stage], options: Options) -> list[Stage]:
    names = [stage.name for stage in every]
    for name in options.only:
        if name not in names:
            raise UsageError(f"there is no stage '{name}'",
                             remedy=f"stages: {', '.join(names)}")
    if options.only:
        return [stage for stage in every if stage.name in options.only]
    return [stage for stage in every if options.full or not stage.full]


def _tell(console: Console, stage: Stage, count: Count, seconds: float,
          log: Path) -> None:
    style = "bold red" if count.failed else "green"
    line = Text.assemble(
        (f"{'✗' if count.failed else '✓'} {stage.name:<12}", style),
        f" {count.passed} passed, {count.failed} failed, "
        f"{count.skipped} skipped  ",
        (f"{seconds:.1f} s", "dim"),
        (f"  {count.note}" if count.note else "", "dim"),
    )
    console.print(line, soft_wrap=True)
    for failure in count.failures[:_SHOWN]:
        console.print(Text(f"    {failure}", "red"), soft_wrap=True)
    if len(count.failures) > _SHOWN:
        console.print(f"    … and {len(count.failures) - _SHOWN} more")
    if not count.failed:
        return
    told = list(count.said[:_SAID])
    if not told and log.exists():
        told = log.read_text(errors="replace").splitlines()[-_SHOWN:]
    for text in told:
        console.print(Text(f"    | {text}", "dim"), soft_wrap=True)
    if log.exists():
        console.print(f"    log: {log}", soft_wrap=True)


def run_stages(
    console: Console,
    places: Places,
    every: Sequence[Stage],
    options: Options,
) -> Count:
    """Run them; gives the sum of all counts."""
    folder = places.out / "test"
    folder.mkdir(parents=True, exist_ok=True)
    total = Count()
    for stage in _pick(every, options):
        log = folder / f"{stage.name}.log"
        log.unlink(missing_ok=True)
        begun = time.monotonic()
        with console.status(f"{stage.name}: {stage.doc}"):
            count = counted(stage, _runner(places, log))
        _tell(console, stage, count, time.monotonic() - begun, log)
        total += count
        if total.failed and options.fail_fast:
            break
    return total
