# SPDX-License-Identifier: MIT
"""Runs what a page of the documentation tells its reader to run.

A ```console block holds commands after `$ ` and what they print; a line `…`
stands for any lines, `…` within a line for any text. A ```diff FILE block is an
edit: its `-` lines, which must stand there once, become its `+` lines.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Step", "perform", "steps"]


@dataclass(frozen=True)
class Step:
    """A command with its output, or an edit of `file`. `place` is where it
    stands in the page."""

    place: str
    command: str
    lines: tuple[str, ...]
    file: str = ""


def steps(page: Path) -> Iterator[Step]:
    """Everything to do, in order."""
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```(console|diff)([^\n]*)\n(.*?)^```$", text,
                             re.M | re.S):
        at = text.count("\n", 0, block.start()) + 1
        lines = block[3].splitlines()
        if block[1] == "diff":
            yield Step(f"{page.name}:{at}", "", tuple(lines),
                       block[2].strip())
            continue
        starts = [n for n, line in enumerate(lines) if line.startswith("$ ")]
        for here, following in zip(starts, [*starts[1:], len(lines)]):
            yield Step(f"{page.name}:{at + 1 + here}", lines[here][2:],
                       tuple(lines[here + 1:following]))


def _pattern(lines: tuple[str, ...]) -> str:
    parts = [
        "(?:.*\n)*?" if line == "…"
        else ".*".join(map(re.escape, line.rstrip().split("…"))) + " *\n"
        for line in lines
    ]
    return "".join(parts)


def _edit(step: Step, folder: Path) -> None:
    path = folder / step.file
    old = "".join(f"{x[1:]}\n" for x in step.lines if x.startswith("-"))
    new = "".join(f"{x[1:]}\n" for x in step.lines if x.startswith("+"))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{step.place}: not once in {step.file}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def perform(
    step: Step, folder: Path, env: Mapping[str, str], seconds: float = 120
) -> None:
    """Do it in `folder`; AssertionError where it prints something else."""
    if step.file:
        _edit(step, folder)
        return
    done = subprocess.run(
        ["/bin/sh", "-c", step.command], cwd=folder, env=dict(env),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=seconds)
    found = re.fullmatch(_pattern(step.lines), done.stdout)
    wanted = "\n".join(step.lines)
    assert found, (f"{step.place}: `{step.command}` prints\n{done.stdout}\n"
                   f"where the page has\n{wanted}")
