# SPDX-License-Identifier: MIT
"""Asks the reference and a Node the same questions, many at a time.

Invariant: an answer stands at the place of its question; both sides see the
same environment, in which nothing of the user's leads anywhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import RunError
from plumbline.registry import Registry, version_key

__all__ = ["Answer", "Node", "Question", "Reference", "find_nodes"]

# path, url, code, name, message, errorPath, requestPath; absent or null.
Answer = Mapping[str, Any]

_DRIVER = Path(__file__).with_name("node.mjs")
_MAJORS = (20, 22)
_SECONDS = 1800.0


@dataclass(frozen=True)
class Question:
    """What is asked: `mode` r (require) or i (import), from a directory, a
    specifier."""

    mode: str
    place: str
    specifier: str


@dataclass(frozen=True)
class Node:
    """A Node whose rules the reference has."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def label(self) -> str:
        return f"node-{self.version}"

    def ask(self, questions: Sequence[Question], home: Path) -> list[Answer]:
        """Node's answers. `home` is an empty directory."""
        lines = "".join(
            f"{q.mode}\t{json.dumps(q.place)}\t{json.dumps(q.specifier)}\n"
            for q in questions)
        out = _run(
            [str(self.path), "--no-warnings",
             "--experimental-import-meta-resolve", str(_DRIVER)],
            lines.encode(), home)
        return _answers(out, len(questions), self.label)


@dataclass(frozen=True)
class Reference:
    """plumb-resolve, answering as some Node does."""

    path: Path

    def ask(self, questions: Sequence[Question], major: int,
            home: Path) -> list[Answer]:
        """The reference's answers."""
        answers: list[Answer] = [{}] * len(questions)
        for mode, flags in (("r", ()), ("i", ("--import",))):
            asked = [(i, q) for i, q in enumerate(questions)
                     if q.mode == mode]
            lines = "".join(f"{q.place}\t{q.specifier}\n" for _, q in asked)
            out = _run(
                [str(self.path), "--batch", "--plain", "--node", str(major),
                 *flags],
                lines.encode("utf-8", "surrogatepass"), home, (0, 1))
            given = _answers(out, len(asked), self.path.name)
            for (i, _), answer in zip(asked, given, strict=True):
                answers[i] = answer
        return answers


def _run(command: Sequence[str], text: bytes, home: Path,
         good: Sequence[int] = (0,)) -> bytes:
    env = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH")
           if key in os.environ}
    # A sanitizer's finding must not look like "something is unresolved".
    env |= {"HOME": str(home), "NODE_NO_WARNINGS": "1", "LC_ALL": "C.UTF-8",
            "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "exitcode=99"}
    try:
        done = subprocess.run(command, input=text, capture_output=True,
                              env=env, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"it did not end within {_SECONDS:.0f} s",
                       place=command[0]) from error
    if done.returncode not in good:
        said = done.stderr.decode(errors="replace").strip()
        raise RunError(f"it ended with {done.returncode}: {said[-2000:]}",
                       place=" ".join(command[:1]))
    return done.stdout


def _answers(out: bytes, count: int, who: str) -> list[Answer]:
    lines = out.decode("utf-8", "replace").split("\n")[:-1]
    if len(lines) != count:
        raise RunError(f"{len(lines)} answers to {count} questions",
                       place=who)
    return [json.loads(line) for line in lines]


def find_nodes(registry: Registry,
               wanted: Iterable[str] = ()) -> tuple[list[Node], list[str]]:
    """One Node of every major version whose rules the reference has, or those
    that are named; and what was left out, with the reason."""
    nodes: list[Node] = []
    skipped: list[str] = []
    named = list(wanted)
    for where, version in _candidates(registry, named):
        if version is None:
            skipped.append(f"{where}: no Node that runs")
            continue
        node = Node(Path(where), version)
        if node.major not in _MAJORS:
            if named:
                skipped.append(f"{where}: Node {node.major} has other rules")
        elif named or all(node.major != other.major for other in nodes):
            nodes.append(node)
    for major in _MAJORS:
        if not named and all(node.major != major for node in nodes):
            skipped.append(f"node@{major} is not here: add it with  "
                           f"plumbline runtimes add node@{major}")
    return sorted(nodes, key=lambda n: version_key(n.version)), skipped


def _candidates(registry: Registry,
                named: Sequence[str]) -> list[tuple[str, str | None]]:
    if named:
        return [(found or name, _version_of(found))
                for name in named for found in [shutil.which(name)]]
    found = [(str(target.executable), target.version)
             for target in registry.found(registry.entry("node"))]
    for name in ("node20", "node22"):
        path = shutil.which(name)
        if path is not None:
            found.append((path, _version_of(path) or ""))
    return [(path, version or None) for path, version in found]


def _version_of(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        said = subprocess.run([path, "--version"], capture_output=True,
                              text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)\S*\s*", said)
    return match[1] if match else None
