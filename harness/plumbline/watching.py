# SPDX-License-Identifier: MIT
"""`run --watch`: runs again whenever something changed that it depends on.

Each run goes through the launcher, which builds first, so that a change of
the reference, a case or an adapter needs no other command. Files are looked
at, not subscribed to: a look costs some milliseconds, and works everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from plumbline.places import Places

__all__ = ["changes", "watch", "watched_words"]

_TICK = 0.4  # seconds between two looks
_SETTLE = 0.2  # an editor writes a file in several steps
_FOLDERS = ("conformance", "ref", "harness/plumbline/corpus")
_SUFFIXES = frozenset({
    ".c", ".h", ".cc", ".cjs", ".mjs", ".js", ".json", ".md", ".py", ".yaml",
    ".build", ".txt",
})

Stamp = tuple[int, int]


def watched_words(adapter: str | None, provider: Path | None) -> list[Path]:
    """The files of an implementation of one's own."""
    import shlex

    words = shlex.split(adapter) if adapter else []
    paths = [Path(word) for word in words]
    return [p for p in (*paths, *([provider] if provider else []))
            if p.is_file()]


def _files(root: Path, own: Sequence[Path]) -> Iterator[Path]:
    yield from own
    for name in _FOLDERS:
        for folder, folders, files in os.walk(root / name):
            folders[:] = [f for f in folders
                          if not f.startswith((".", "__"))
                          and f != "node_modules"]
            for file in files:
                if os.path.splitext(file)[1] in _SUFFIXES:
                    yield Path(folder, file)


def _look(root: Path, own: Sequence[Path]) -> dict[Path, Stamp]:
    seen: dict[Path, Stamp] = {}
    for path in _files(root, own):
        try:
            status = path.stat()
        except OSError:
            continue  # gone between listing and looking: a change
        seen[path] = (status.st_mtime_ns, status.st_size)
    return seen


def changes(
    root: Path, own: Sequence[Path], sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[Path]]:
    """The files that changed since this call, each time that some did; never
    ends."""
    return _changes(root, own, sleep, _look(root, own))


def _changes(
    root: Path, own: Sequence[Path], sleep: Callable[[float], None],
    old: dict[Path, Stamp],
) -> Iterator[list[Path]]:
    while True:
        new = _look(root, own)
        if new == old:
            sleep(_TICK)
            continue
        while True:  # until it has come to rest
            sleep(_SETTLE)
            again = _look(root, own)
            if again == new:
                break
            new = again
        different = sorted(
            path for path in old.keys() | new.keys()
            if old.get(path) != new.get(path)
        )
        old = new
        yield different


def _again(places: Places) -> list[str]:
    """This command line without --watch, through the launcher if there is
    one."""
    words = [word for word in sys.argv[1:] if word != "--watch"]
    if "PLUMBLINE_PROGRAM" in os.environ:
        return [str(places.root / "plumbline"), *words]
    return [sys.executable, "-m", "plumbline.cli", *words]


def watch(places: Places, own: Sequence[Path]) -> int:
    """Run, wait for a change, run again; ends with Ctrl-C, which is how
    everybody ends it: status 0."""
    command = _again(places)
    try:
        looks = changes(places.root, own)  # what changes meanwhile counts
        subprocess.run(command, check=False)
        click.echo("watching; Ctrl-C ends it", err=True)
        for changed in looks:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            click.echo(f"\n{places.short(changed[0])}{more} changed", err=True)
            subprocess.run(command, check=False)
            click.echo("watching; Ctrl-C ends it", err=True)
    except KeyboardInterrupt:
        pass
    return 0
