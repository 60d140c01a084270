# SPDX-License-Identifier: MIT
"""Puts the shards of one run together again.

The judge writes its command into the header, so a results file knows which
shard it is. Invariant: a merged file says no more than a run of everything
would have said: all shards are there, each once, of one suite, one
implementation and one selection, and no case is in two of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import ResultsError
from plumbline.results import Results, read_results

__all__ = ["must_be_whole", "merge_shards", "shard_of"]

# What of a command may differ between the shards of one run: where things are.
_PLACES = frozenset({"--adapter", "--results", "--output", "--corpus", "--expectations",
                     "--host", "--provider"})


@dataclass(frozen=True)
class _Shard:
    results: Results
    number: int
    of: int
    # The command without what may differ.
    command: tuple[str, ...]


def shard_of(results: Results) -> tuple[int, int] | None:
    """(k, n) of a file that is shard k of n, from its command."""
    words = results.header.command
    for flag, value in zip(words, words[1:]):
        found = re.fullmatch(r"(\d+)/(\d+)", value)
        if flag == "--shard" and found:
            return int(found[1]), int(found[2])
    return None


def must_be_whole(results: Results, remedy: str) -> None:
    """ResultsError where it is a shard, which says nothing about the run."""
    found = shard_of(results)
    if found is not None:
        raise ResultsError(f"this is shard {found[0]} of {found[1]}",
                           place=str(results.path), remedy=remedy)


def _common(command: Sequence[str]) -> tuple[str, ...]:
    words: list[str] = []
    skip = False
    for word in command[1:]:
        if skip:
            skip = False
        elif word == "--shard" or word in _PLACES:
            skip = True
        else:
            words.append(word)
    return tuple(words)


def _read(path: Path) -> _Shard:
    results = read_results(path)
    found = shard_of(results)
    if found is None:
        raise ResultsError(
            "this run was no shard", place=str(path),
            remedy="make shards with:  plumbline run IMPL --shard k/n")
    if not results.complete:
        raise ResultsError("this shard was interrupted", place=str(path),
                           remedy="run it again")
    return _Shard(results, *found, _common(results.header.command))


def _check(shards: Sequence[_Shard], empty: Collection[int]) -> None:
    first = shards[0]
    for shard in shards[1:]:
        for what, one, other in (
            ("suite", first.results.header.suite, shard.results.header.suite),
            ("implementation",
             first.results.header.implementation.label,
             shard.results.header.implementation.label),
            ("number of shards", str(first.of), str(shard.of)),
            ("command", " ".join(first.command), " ".join(shard.command)),
        ):
            if one != other:
                raise ResultsError(
                    f"its {what} is `{other}`, that of {first.results.path} "
                    f"`{one}`", place=str(shard.results.path),
                    remedy="merge the shards of one run only")
    counts = Counter(shard.number for shard in shards)
    twice = [str(k) for k, times in counts.items() if times > 1]
    missing = [str(k) for k in range(1, first.of + 1) 
               if k not in counts and k not in empty]
    if twice:
        raise ResultsError(f"shard {twice[0]} of {first.of} is here twice",
                           place=str(first.results.path.parent),
                           remedy="name each shard once")
    if missing:
        raise ResultsError(
            f"of {first.of} shards these are missing: {', '.join(missing)}",
            place=str(first.results.path.parent),
            remedy="run them too, and merge all of them")


def merge_shards(
    paths: Sequence[Path], empty: Collection[int] = ()
) -> tuple[str, str]:
    """The label and the text of the whole results file of these shards; those
    of `empty` are known to have no case.
    ResultsError where they are not all shards of one run."""
    shards = sorted(map(_read, paths), key=lambda s: s.number)
    _check(shards, empty)
    headers: list[dict[str, Any]] = []
    footers: list[dict[str, Any]] = []
    cases: list[str] = []
    seen: dict[str, Path] = {}
    for shard in shards:
        path = shard.results.path
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        headers.append(json.loads(lines[0]))
        footers.append(json.loads(lines[-1]))
        cases += lines[1:-1]
        for id in shard.results.cases:
            if id in seen:
                raise ResultsError(f"{id} is in {seen[id]} as well",
                                   place=str(path),
                                   remedy="merge the shards of one run only")
            seen[id] = path
    totals: Counter[str] = Counter()
    for footer in footers:
        totals.update(footer["totals"])
    head = {
        **headers[0],
        "command": [headers[0]["command"][0], *shards[0].command],
        "selected": sum(h["selected"] for h in headers),
        "started": min(h["started"] for h in headers),
    }
    foot = {
        **footers[0],
        "totals": dict(totals),
        "unexpected": sum(f["unexpected"] for f in footers),
        "duration_ms": sum(f["duration_ms"] for f in footers),
    }
    lines = [_line(head), *cases, _line(foot)]
    return shards[0].results.header.implementation.label, (
        "\n".join(lines) + "\n")


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
