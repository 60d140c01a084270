# SPDX-License-Identifier: MIT
"""Who has the leaks: the reference, and the runtimes that are here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plumbline.errors import RunError
from plumbline.places import Places
from plumbline.registry import Registry

__all__ = ["Lab", "find_labs", "lines_of"]

_FOLDER = "ref/apps/leak-lab"
# How each is told to offer its collector.
_WORDS = {
    "node": ("--expose-gc", "--no-warnings"),
    "bun": ("--no-install",),
    "deno": ("run", "-A", "--quiet", "--v8-flags=--expose-gc"),
}


@dataclass(frozen=True)
class Lab:
    """The commands of one implementation, to which a leak, or a place for the
    cache, is added."""

    label: str
    leaks: tuple[str, ...]
    outside: tuple[str, ...]
    places: tuple[str, ...]  # where its cache can be
    env: Mapping[str, str] = field(default_factory=dict)


def find_labs(places: Places, registry: Registry) -> list[Lab]:
    """The reference first, then every runtime and version that is found."""
    labs = [Lab(
        "ref", (str(places.built(f"{_FOLDER}/plumb-leak-lab")),),
        (str(places.built(f"{_FOLDER}/plumb-leak-outside")),),
        ("process", "steps", "redis"))]
    scripts = places.root / _FOLDER / "js"
    for name, words in _WORDS.items():
        if name not in registry.entries:
            continue
        for target in registry.found(registry.entry(name)):
            begin = (str(target.executable), *words)
            labs.append(Lab(
                target.title, (*begin, str(scripts / "lab.cjs")),
                (*begin, str(scripts / "outside.cjs")),
                ("process", "redis"), target.env))
    return labs


def lines_of(
    words: Sequence[str], env: Mapping[str, str], timeout: float
) -> list[dict[str, Any]]:
    """The lines of JSON that a program prints; RunError with what it said
    where it fails."""
    import os

    try:
        done = subprocess.run(
            list(words), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=timeout, check=False,
            env={**os.environ, **env})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"it did not run: {error}", place=words[0]) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise RunError(f"it ended with {done.returncode}: {said}",
                       place=words[0])
    try:
        found = [json.loads(line) for line in done.stdout.splitlines()]
    except ValueError as error:
        raise RunError(f"what it printed is no JSON: {error}",
                       place=words[0]) from error
    if not found or not all(isinstance(one, dict) and "kind" in one
                            for one in found):
        raise RunError("it printed nothing that is known", place=words[0])
    return found
