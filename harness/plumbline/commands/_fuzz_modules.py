# SPDX-License-Identifier: MIT
"""`plumbline fuzz modules`: random trees, the reference against Node."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.errors import RunError, UsageError

if TYPE_CHECKING:
    from plumbline.registry import Registry
    from plumbline.resolvers import Node, RandomTrees

__all__ = ["fuzz_modules"]


def fuzz_modules(
    implementations: Sequence[str],
    examples: int,
    seconds: float | None,
    seed: int,
    findings: int,
    out: Path | None,
) -> int:
    """Runs the search, tells what it found; gives the exit status."""
    from plumbline.places import find_places
    from plumbline.registry import read_registry
    from plumbline.resolvers import RandomTrees, Reference
    from plumbline.resolvers._tell import tell, write_case
    from plumbline.terminal import bars

    places = find_places()
    nodes = _nodes(read_registry(places), implementations)
    folder = out or places.out / "fuzz"
    search = RandomTrees(
        Reference(places.built("ref/apps/plumb-resolve/plumb-resolve")),
        nodes, seed, examples, findings,
        time.monotonic() + seconds if seconds else None)
    names = ", ".join(node.label for node in nodes)
    begun = time.monotonic()
    with bars() as make:
        search.progress = make(f"modules: {names}")
        for one in search.differences():
            folder.mkdir(parents=True, exist_ok=True)
            again = _again(one.node, one.seed)
            path = write_case(one, folder, again)
            click.echo("\n".join(tell(one)))
            click.echo(f"  written to {places.short(path)}; again: {again}")
    _sum_up(search, names, time.monotonic() - begun)
    if not search.asked:
        return 2
    return 1 if search.repeated else 0


def _again(node: Node, seed: int) -> str:
    return (f"./plumbline fuzz modules --impl node@{node.version} "
            f"--seed {seed} --examples 1")


def _nodes(registry: Registry, specs: Sequence[str]) -> list[Node]:
    from plumbline.registry import resolve_all
    from plumbline.resolvers import find_nodes

    named: list[str] = []
    for target in resolve_all(registry, specs):
        if target.name != "node":
            raise UsageError(
                f"{target.spec} is no Node",
                remedy="trees are held against Node 20 and 22: --impl "
                "node@20 --impl node@22")
        named.append(str(target.executable))
    nodes, skipped = find_nodes(registry, named)
    for why in skipped:
        click.echo(f"skipped: {why}", err=True)
    if not nodes:
        raise RunError(
            "there is no Node 20 or 22 to compare with",
            remedy="add them:  plumbline runtimes add node@20 node@22")
    return nodes


def _sum_up(search: RandomTrees, names: str, seconds: float) -> None:
    found = sum(search.repeated.values())
    excused = sum(search.explained.values())
    click.echo(
        f"modules: {names}: {search.trees:,} trees, {search.asked:,} "
        f"questions in {seconds:.0f} s; {len(search.repeated)} kinds of "
        f"unexplained differences, seen {found} times; {excused} explained")
