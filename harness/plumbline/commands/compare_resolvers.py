# SPDX-License-Identifier: MIT
"""`plumbline compare-resolvers`: the reference's resolver against Node's."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from plumbline.registry import Registry
    from plumbline.resolvers import Comparison, Difference, Question, Scan
    from plumbline.resolvers._times import Small, Times

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline compare-resolvers .
  plumbline compare-resolvers ../app/node_modules --most 50
  plumbline compare-resolvers . --node /usr/bin/node --json > found.json
  plumbline compare-resolvers . --pairs pairs.tsv
  plumbline compare-resolvers --installed
  plumbline compare-resolvers --installed --times
\b
Exit status: 0 every difference is explained, 1 some is not, 2 nothing was
proved (no Node 20 or 22, nothing to resolve).
"""


@click.command("compare-resolvers", epilog=_EPILOG)
@click.argument("tree", required=False, metavar="TREE",
                type=click.Path(path_type=Path))
@click.option("--installed", is_flag=True,
              help="Compare on several hundred packages, which npm installs "
              "into .runtimes/ at the first time.")
@click.option("--node", "nodes", multiple=True, metavar="PATH",
              help="A Node 20 or 22; may be given again. Otherwise one of "
              "each that is in PATH or was added.")
@click.option("--most", type=click.IntRange(1), default=20,
              show_default=True, metavar="N",
              help="Print so many unexplained differences of each Node.")
@click.option("--pairs", type=click.Path(path_type=Path), metavar="FILE",
              help="Also write the requires, as `from TAB specifier`: what "
              "plumb-resolve --batch and the benchmarks read.")
@click.option("--times", is_flag=True,
              help="Also measure: the reference, every runtime and resolver "
              "that is here, interleaved. Takes minutes.")
@click.option("--rounds", type=click.IntRange(1), default=5,
              show_default=True, metavar="N",
              help="How often each is measured.")
@click.option("--json", "as_json", is_flag=True,
              help="All differences, as JSON.")
def command(tree: Path | None, installed: bool, nodes: tuple[str, ...],
            most: int, pairs: Path | None, times: bool, rounds: int,
            as_json: bool) -> int:
    """Resolve what a source tree asks for, on the reference and on Node.

    TREE is scanned for require(), import and import() of plain strings; each
    distinct pair of directory and specifier is resolved by both, and every
    disagreement (path, URL, code, message) is listed with its explanation, or
    without one.
    """
    from plumbline.errors import RunError, UsageError
    from plumbline.places import find_places
    from plumbline.registry import read_registry
    from plumbline.resolvers import (
        Reference,
        compare,
        find_nodes,
        scan_tree,
    )
    from plumbline.resolvers.installed import install
    from plumbline.terminal import remarks

    places = find_places()
    if (tree is None) != installed:
        raise UsageError(
            "give one tree, or --installed",
            remedy="for example:  plumbline compare-resolvers ../app")
    binary = places.built("ref/apps/plumb-resolve/plumb-resolve")
    registry = read_registry(places)
    found, skipped = find_nodes(registry, nodes)
    console = remarks()
    for why in skipped:
        console.print(f"skipped: {why}", markup=False, soft_wrap=True)
    if not found:
        raise RunError(
            "there is no Node 20 or 22 to compare with",
            remedy="add them:  plumbline runtimes add node@20 node@22")
    if tree is None:
        with console.status("installing packages"):
            tree = install(places)
    with console.status(f"scanning {places.short(tree)}"):
        scan = scan_tree(binary, tree)
    if not scan.questions:
        raise RunError("nothing in it asks for a module", place=str(tree))
    if pairs is not None:
        _write_pairs(pairs, scan.of("r"))
    results = []
    speed: list[Times] = []
    small: list[Small] = []
    with tempfile.TemporaryDirectory(prefix="plumbline-home-") as home:
        for node in found:
            with console.status(f"resolving with {node.label}"):
                results.append(compare(Reference(binary), node,
                                       scan.questions, Path(home)))
        if times:
            speed, small = _measure(registry, binary, scan, rounds,
                                    Path(home))
    if as_json:
        told = {**_as_json(scan, results), **_times_as_json(speed, small)}
        click.echo(json.dumps(told, indent=1))
    else:
        from plumbline.terminal import output

        _show(output(), places.short(tree), scan, results, most)
        if times:
            _show_times(output(), speed, small)
    return 1 if any(result.unexplained for result in results) else 0


def _write_pairs(path: Path, questions: Sequence[Question]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for question in questions:
            file.write(f"{question.place}\t{question.specifier}\n")


def _measure(registry: Registry, binary: Path, scan: Scan, rounds: int,
             folder: Path) -> tuple[list[Times], list[Small]]:
    from plumbline.resolvers import Reference
    from plumbline.resolvers._times import (
        engines_of,
        measure,
        measure_small,
        write_lists,
    )
    from plumbline.terminal import bars

    asked = scan.of("r")
    found, failing = write_lists(
        folder, asked, Reference(binary).ask(asked, 20, folder))
    engines = engines_of(registry, binary)
    with bars() as make:
        speed = measure(engines, found, failing, rounds, make("measuring"))
    return speed, measure_small(engines[0], found, rounds)


# -- for people ---


def _show(console: Console, tree: str, scan: Scan,
          results: Sequence[Comparison], most: int) -> None:
    requires, imports = len(scan.of("r")), len(scan.of("i"))
    console.print(
        f"{tree}: {scan.packages:,} packages, {scan.files:,} sources, "
        f"{scan.asked:,} requests, {requires:,} distinct requires and "
        f"{imports:,} distinct imports", soft_wrap=True, markup=False)
    if scan.unreadable:
        console.print(f"{scan.unreadable:,} sources cannot be read",
                      style="yellow")
    for result in results:
        console.print()
        _show_one(console, result, most)


def _show_one(console: Console, result: Comparison, most: int) -> None:
    bad = result.unexplained
    console.print(
        f"{result.node.label}: {result.asked:,} asked, {result.resolved:,} "
        f"resolved, {len(result.differences):,} differ, {len(bad):,} of them "
        "unexplained", style="bold red" if bad else "bold green",
        soft_wrap=True, markup=False)
    from plumbline.resolvers._compare import EXPLANATIONS

    for explanation in EXPLANATIONS:
        count = result.explained[explanation.name]
        if count:
            console.print(f"  {count:,} x {explanation.name}: "
                          f"{explanation.text}", markup=False)
    for difference in bad[:most]:
        _show_difference(console, difference)
    if len(bad) > most:
        console.print(f"  … and {len(bad) - most:,} more: --most, or --json")


def _show_difference(console: Console, one: Difference) -> None:
    how = "import" if one.question.mode == "i" else "require"
    console.print(f"  {how} {one.question.specifier}  from "
                  f"{one.question.place}: {one.what} differs",
                  soft_wrap=True, markup=False)
    for who, answer in (("Node", one.theirs), ("ours", one.ours)):
        console.print(f"    {who}  {_short(answer, one.what)}",
                      soft_wrap=True, markup=False)


def _short(answer: Any, what: str) -> str:
    value = answer.get(what)
    told = answer.get("path") or answer.get("code") or answer.get("name")
    return f"{told}" if value in (told, None) else f"{told}: {value}"


def _show_times(console: Console, speed: Sequence[Times],
                small: Sequence[Small]) -> None:
    from rich.table import Table

    ours = speed[0]
    table = Table(box=None, pad_edge=False, title_justify="left",
                  title="Nanoseconds per resolution; x: by the reference's")
    for name in ("", "resolved", "cold", "x", "calls", "warm", "x",
                 "failing", "x"):
        table.add_column(name, justify="right" if name else "left")
    for one in speed:
        cells = [one.engine.name, f"{one.rounds[0].resolved:,}"]
        for what in ("cold", "warm", "failing"):
            each = ours.ratios(one, what)
            cells += [f"{one.median(what):,.0f}",
                      f"{ours.ratio(one, what):,.2f} "
                      f"[{each[0]:.3g}–{each[-1]:.3g}]"]
            if what == "cold":
                cells.append("-" if one.calls is None else f"{one.calls:.2f}")
        table.add_row(*cells)
    console.print()
    console.print(table)
    console.print(f"The reference, warm, by the directory's path: "
                  f"{ours.median('by_path'):,.0f}", highlight=False)
    table = Table(box=None, pad_edge=False, title_justify="left",
                  title="The reference, cold, in runs of so many; (calls)")
    for name in ("resolutions", "names alone", "listings alone", "as it is"):
        table.add_column(name, justify="right")
    for run in small:
        table.add_row(f"{run.size:,}", *(
            f"{time:,.0f} ({calls:.2f})"
            for time, calls in (run.single, run.listed, run.chosen)))
    console.print()
    console.print(table)


# -- for programs ---


def _times_as_json(speed: Sequence[Times],
                   small: Sequence[Small]) -> dict[str, Any]:
    if not speed:
        return {}
    return {
        "times": [
            {
                "engine": one.engine.name,
                "calls": one.calls,
                "rounds": [
                    {"cold": r.cold, "warm": r.warm, "failing": r.failing,
                     "resolved": r.resolved, "by_path": r.by_path}
                    for r in one.rounds
                ],
                "ratios": {what: speed[0].ratio(one, what)
                           for what in ("cold", "warm", "failing")},
            }
            for one in speed
        ],
        "small": [
            {"size": run.size, "single": run.single, "listed": run.listed,
             "chosen": run.chosen}
            for run in small
        ],
    }


def _as_json(scan: Scan, results: Sequence[Comparison]) -> dict[str, Any]:
    return {
        "sources": scan.files,
        "unreadable": scan.unreadable,
        "packages": scan.packages,
        "requests": scan.asked,
        "questions": len(scan.questions),
        "nodes": [
            {
                "node": result.node.version,
                "asked": result.asked,
                "resolved": result.resolved,
                "unexplained": len(result.unexplained),
                "differences": [
                    {
                        "mode": one.question.mode,
                        "from": one.question.place,
                        "specifier": one.question.specifier,
                        "what": one.what,
                        "node": dict(one.theirs),
                        "ours": dict(one.ours),
                        "explanation": one.explanation and
                        one.explanation.name,
                    }
                    for one in result.differences
                ],
            }
            for result in results
        ],
    }
