# SPDX-License-Identifier: MIT
"""Consoles and progress bars: one place that knows about terminals.

Results go to stdout, progress and remarks to stderr, so that a pipe gets
only results. NO_COLOR, FORCE_COLOR (--color sets them) and a stdout that is no
terminal are respected (rich does it); on a non-terminal there are no bars.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Bar", "bars", "output", "remarks"]

# Called with (done, total or None while unknown).
Bar = Callable[[int, int | None], None]

_PIPE_WIDTH = 100


def output() -> Console:
    """The console of results."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, soft_wrap=False, width=width)


def remarks() -> Console:
    """The console of progress and remarks."""
    width = None if sys.stderr.isatty() else _PIPE_WIDTH
    return Console(stderr=True, highlight=False, width=width)


@contextmanager
def bars(quiet: bool = False) -> Iterator[Callable[[str], Bar]]:
    """Progress bars: the context gives a function that makes one."""
    console = remarks()
    if quiet or not sys.stderr.isatty():
        yield lambda name: lambda done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:

        def make(name: str) -> Bar:
            task = progress.add_task(name, total=None)

            def advance(done: int, total: int | None) -> None:
                progress.update(task, completed=done, total=total)

            return advance

        yield make
