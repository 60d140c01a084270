# SPDX-License-Identifier: MIT
"""Candidates for a shell's completion.

Invariant: a completion prints nothing but candidates. Whatever goes wrong (no
build yet, a broken registry) there are none, and the shell stays usable.
"""

from __future__ import annotations

import json

import click
from click.shell_completion import CompletionItem

from plumbline.errors import PlumblineError

__all__ = ["complete_cases", "complete_implementations", "complete_sides"]


def complete_implementations(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of implementations.yaml; with an @, the versions that were
    added."""
    from plumbline.places import find_places
    from plumbline.registry import read_registry

    try:
        registry = read_registry(find_places())
        names = list(registry.entries)
        if "@" in incomplete:
            names = [f"{name}@{version}"
                     for name, entry in registry.entries.items()
                     for version, _ in registry.pinned(entry.runtime or name)]
    except (PlumblineError, OSError):
        return []
    return [CompletionItem(name) for name in names
            if name.startswith(incomplete)]


def complete_sides(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """An implementation, or a file."""
    return complete_implementations(ctx, param, incomplete) or [
        CompletionItem(incomplete, type="file")]


def complete_cases(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of cases a level at a time, as a shell does with folders; rules
    where the word is in capitals."""
    from plumbline.places import find_places

    try:
        places = find_places()
        if incomplete[:1].isupper():
            rules = json.loads(places.rules.read_text(encoding="utf-8"))
            return [CompletionItem(name) for name in rules
                    if name.startswith(incomplete)]
        text = places.corpus.read_text(encoding="utf-8")
        # Not splitlines(), which also ends a line at the U+2028 of a string.
        lines = text.removesuffix("\n").split("\n")[1:]
        ids = [json.loads(line)["id"] for line in lines]
    except (PlumblineError, OSError, ValueError, KeyError):
        return []
    found: dict[str, None] = {}
    for id in ids:
        if id.startswith(incomplete):
            rest, slash, _ = id[len(incomplete):].partition("/")
            found[incomplete + rest + slash] = None
    return [CompletionItem(name) for name in found]
