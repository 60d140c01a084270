# SPDX-License-Identifier: MIT
"""What the sources of a tree ask for: distinct (directory, specifier) pairs.

Invariant: a pair's directory is the real one of the file that asks, as Node
sees it; files reached through links count once, where they really are.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import RunError, UsageError
from plumbline.resolvers._ask import Question

__all__ = ["Scan", "scan_tree"]

_SUFFIXES = (".js", ".cjs", ".mjs")
# Requires of a file that Node loads as a module are still asked as requires:
# such files get theirs from createRequire().
_MODES = {"require": "r", "import": "i", "import()": "i"}


@dataclass(frozen=True)
class Scan:
    """What was found: `asked` with repetitions, `questions` without."""

    files: int
    unreadable: int
    packages: int
    asked: int
    questions: tuple[Question, ...]

    def of(self, mode: str) -> list[Question]:
        """Those of one mode."""
        return [q for q in self.questions if q.mode == mode]


def scan_tree(binary: Path, root: Path) -> Scan:
    """Scans all JavaScript files below a directory."""
    if not root.is_dir():
        raise UsageError("there is no such directory", place=str(root))
    sources: list[str] = []
    packages = 0
    for path in _files(root.resolve()):
        if path.endswith(_SUFFIXES):
            sources.append(path)
        elif path.endswith("/package.json"):
            packages += _is_package(path)
    done = subprocess.run(
        [str(binary), "--scan"], capture_output=True,
        input=b"".join(os.fsencode(path) + b"\0" for path in sources))
    if done.returncode != 0:
        raise RunError(
            f"scanning ended with {done.returncode}: "
            f"{done.stderr.decode(errors='replace').strip()}",
            place=str(binary))
    asked = unreadable = 0
    found: dict[Question, None] = {}
    for line in done.stdout.decode().split("\n")[:-1]:
        kind, path, specifier, _ = json.loads(line)
        if kind == "unreadable":
            unreadable += 1
            continue
        asked += 1
        # What stands in a batch's line must not end it, and a name that is
        # no UTF-8 was not asked for like that.
        if not any(c in specifier + path for c in "\n\t\r\0\ufffd"):
            found[Question(_MODES[kind], os.path.dirname(path),
                           specifier)] = None
    return Scan(len(sources), unreadable, packages, asked,
                tuple(sorted(found, key=_order)))


def _order(question: Question) -> tuple[str, str, str]:
    return question.mode, question.place, question.specifier


def _files(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = f"{folder}/{name}"
            if not os.path.islink(path) and "\n" not in path:
                yield path


def _is_package(path: str) -> bool:
    """Whether it stands at the top of a package: node_modules/p, or
    node_modules/@s/p."""
    above = path.split("/")[:-1]
    return len(above) >= 3 and (
        above[-2] == "node_modules"
        or (above[-3] == "node_modules" and above[-2].startswith("@")))
