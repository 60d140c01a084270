# SPDX-License-Identifier: MIT
"""Makes a tree smaller as long as it shows the same difference.

Names are left out first, then the contents of package.json are cut, member by
member and then character by character. Invariant: a step is kept only when
the difference is still there, so the result shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from plumbline.resolvers._random import Tree

__all__ = ["shrink"]

_Differs = Callable[[Tree], bool]
_CHARACTERS = 120  # a text up to this length is cut character by character


def shrink(tree: Tree, differs: _Differs) -> Tree:
    """The smallest that greedy steps lead to."""
    before = None
    while tree != before:
        before = tree
        tree = _fewer(tree, differs)
        tree = _shorter(tree, differs)
    return tree


def _fewer(tree: Tree, differs: _Differs) -> Tree:
    """Halves of the names first, then single ones."""
    names = [(kind, name) for kind in ("files", "links", "folders")
             for name in getattr(tree, kind)]
    size = max(1, len(names) // 2)
    while names:
        at = 0
        while at < len(names):
            rest = names[:at] + names[at + size:]
            smaller = _only(tree, rest)
            if differs(smaller):
                tree, names = smaller, rest
            else:
                at += size
        if size == 1:
            break
        size //= 2
    return tree


def _only(tree: Tree, names: list[tuple[str, str]]) -> Tree:
    kept = set(names)
    return replace(
        tree,
        files={k: v for k, v in tree.files.items() if ("files", k) in kept},
        links={k: v for k, v in tree.links.items() if ("links", k) in kept},
        folders=[f for f in tree.folders if ("folders", f) in kept])


def _shorter(tree: Tree, differs: _Differs) -> Tree:
    for name in list(tree.files):
        moved = True
        while moved:
            moved = False
            for text in _cut(tree.files[name]):
                smaller = replace(tree, files={**tree.files, name: text})
                if differs(smaller):
                    tree, moved = smaller, True
                    break
    return tree


def _cut(text: str) -> Iterator[str]:
    """Smaller texts: of JSON, with a member left out or put up; of anything
    else, with a character left out."""
    if not text:
        return
    yield ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if len(text) <= _CHARACTERS:
            for at in range(len(text)):
                yield text[:at] + text[at + 1:]
        return
    for smaller in _less(value):
        short = json.dumps(smaller, ensure_ascii=False)
        if len(short) < len(text):
            yield short


def _less(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for key, inner in value.items():
            for smaller in _less(inner):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for at in range(len(value)):
            yield value[:at] + value[at + 1:]
        for at, inner in enumerate(value):
            for smaller in _less(inner):
                yield [*value[:at], smaller, *value[at + 1:]]
    if isinstance(value, dict | list):
        yield from (value.values() if isinstance(value, dict) else value)
