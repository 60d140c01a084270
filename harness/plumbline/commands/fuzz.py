# SPDX-License-Identifier: MIT
"""`plumbline fuzz`: random programs on implementations, against the model;
random trees on the reference's resolver, against Node."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.errors import RunError, UsageError

if TYPE_CHECKING:
    from plumbline.fuzz import (
        Finding,
        Known,
        Language,
        Oracle,
        Search,
        Session,
    )
    from plumbline.places import Places
    from plumbline.registry import Target

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline fuzz loop --impl node --impl bun
  plumbline fuzz loop --impl ref --examples 3000 --seed 7
  plumbline fuzz loop --impl libuv --layer handles --seconds 60
  plumbline fuzz loop --impl bun --without bun=refresh,interval
  plumbline fuzz loop --adapter './my-adapter' --name mine
  plumbline fuzz modules --seconds 60
  plumbline fuzz modules --impl node@22 --seed 5000 --findings 3
\b
Exit status: 0 every trace is one that the model allows, 1 something was
found, 2 nothing was proved, 130 interrupted.
"""


@click.command("fuzz", epilog=_EPILOG)
@click.argument("area", type=click.Choice(["loop", "modules"]))
@click.option("--impl", "implementations", multiple=True, metavar="IMPL",
              help="An implementation, as for run; may be given again.")
@click.option("--adapter", metavar="CMD", help="An adapter of your own.")
@click.option("--provider", type=click.Path(path_type=Path), metavar="LIB",
              help="A provider library of your own.")
@click.option("--name", default="", metavar="NAME",
              help="What to call your own implementation.")
@click.option("--examples", type=click.IntRange(1), default=500,
              show_default=True, metavar="N",
              help="Draw so many programs for each layer, or trees.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True),
              metavar="S", help="Stop after so long; examples may be left.")
@click.option("--seed", type=click.IntRange(0), default=0,
              show_default=True, metavar="N",
              help="Draws the same programs again.")
@click.option("--runs", type=click.IntRange(1), default=3,
              show_default=True, metavar="K",
              help="Run a program so often where several traces are "
              "allowed.")
@click.option("--findings", type=click.IntRange(1), default=1,
              show_default=True, metavar="N",
              help="Stop a layer after so many findings.")
@click.option("--layer", type=click.Choice(["runtime", "handles"]),
              help="Only programs of timeouts and ticks, or of handles.")
@click.option("--without", multiple=True, metavar="IMPL=WORD,...",
              help="Leave words out for an implementation.")
@click.option("--known/--no-known", default=True,
              help="Leave out what is known to differ (the default).")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where findings are written (default: out/fuzz).")
def command(
    area: str,
    implementations: tuple[str, ...],
    adapter: str | None,
    provider: Path | None,
    name: str,
    examples: int,
    seconds: float | None,
    seed: int,
    runs: int,
    findings: int,
    layer: str | None,
    without: tuple[str, ...],
    known: bool,
    out: Path | None,
) -> int:
    """Run random programs and hold every trace against the model.

    A program is explored on the reference's virtual loop, which gives all
    traces that are allowed. Each implementation runs it through its adapter.
    A trace outside is shrunk to a small program and written as a case file.

    Of modules, random trees of files are drawn, and 60 questions about each
    are asked of the reference and of Node 20 and 22 (all that are here, or
    those that --impl names). An answer that differs, without a cause that is
    known, is shrunk to a small tree and written as a case file.
    """
    if area == "modules":
        from plumbline.commands._fuzz_modules import fuzz_modules

        if adapter or provider or layer or without or not known:
            raise UsageError(
                "that option is about programs, not about trees",
                remedy="fuzz modules has --impl, --examples, --seconds, "
                "--seed, --findings and --out")
        return fuzz_modules(implementations, examples, seconds, seed,
                            findings, out)
    from plumbline.fuzz import Oracle, Session, parse_without, read_known
    from plumbline.places import find_places

    places = find_places()
    targets = _targets(places, implementations, adapter, provider, name)
    gone = parse_without(without) + (read_known() if known else [])
    folder = out or places.out / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="plumbline-fuzz-")))
        sessions = [
            stack.enter_context(_session(places, target, scratch))
            for target in targets
        ]
        groups = _groups(sessions, gone, layer)
        if not groups:
            raise RunError(
                "there is nothing to draw programs of",
                remedy="the implementations lack the operations of the layer, "
                "or --without takes them all away",
            )
        reference = places.built("ref/libplumb-ref.so")
        oracle = stack.enter_context(Oracle(
            places.built("conformance/host/plumb-explore"),
            reference, scratch,
        ))
        control = stack.enter_context(Session(
            (str(places.host), str(reference)), {}, scratch))
        deadline = time.monotonic() + seconds if seconds else None
        results = []
        for number, (language, members) in enumerate(groups):
            search = _search(oracle, control, language, members, examples,
                             _share(deadline, len(groups) - number), seed,
                             runs, findings)
            again = _again(members, language, examples, seed, runs, findings,
                           without, known)
            results.append(_run(search, members, folder, again, places))
    return 1 if 1 in results else max(results)


def _targets(
    places: Places,
    specs: Sequence[str],
    adapter: str | None,
    provider: Path | None,
    name: str,
) -> list[Target]:
    from plumbline.registry import named_targets, read_registry

    targets = named_targets(read_registry(places), specs, adapter, provider,
                            name)
    if not targets:
        raise UsageError(
            "there is no implementation to run programs on",
            remedy="name some: --impl ref --impl node; or bring your own "
            "with --adapter or --provider",
        )
    return targets


def _session(places: Places, target: Target, scratch: Path) -> Session:
    from plumbline.fuzz import Session

    command = target.command
    if target.provider is not None:
        command = (str(places.host), str(target.provider))
    return Session(command, target.env, scratch, label=target.label)


def _groups(
    sessions: Sequence[Session], gone: Sequence[Known], layer: str | None
) -> list[tuple[Language, list[Session]]]:
    """Implementations that are given the same programs, by language."""
    from plumbline.fuzz import languages_of

    groups: dict[Language, list[Session]] = {}
    for session in sessions:
        who = session.identity
        words = [word for one in gone if one.concerns(who.name, who.version)
                 for word in one.words]
        for language in languages_of(who.capabilities, who.traits, words):
            if layer in (None, language.layer):
                groups.setdefault(language, []).append(session)
    return list(groups.items())


def _share(deadline: float | None, groups: int) -> float | None:
    """When the next of so many groups has to end."""
    if deadline is None:
        return None
    now = time.monotonic()
    return now + max(0.0, deadline - now) / groups


def _search(
    oracle: Oracle, control: Session, language: Language,
    members: Sequence[Session], examples: int, deadline: float | None,
    seed: int, runs: int, findings: int,
) -> Search:
    from plumbline.fuzz import Checker, Search

    checker = Checker(members, oracle, runs, control)
    return Search(language, checker, examples, deadline, seed, findings)


def _again(
    members: Sequence[Session], language: Language, examples: int, seed: int,
    runs: int, findings: int, without: Sequence[str], known: bool,
) -> str:
    """The command that draws a group's programs again."""
    words = ["./plumbline fuzz loop"]
    for member in members:
        who = member.identity
        words.append(f"--impl {who.name}" if who.name in ("ref", "libuv")
                     else f"--impl {who.name}@{who.version}")
    words += [f"--layer {language.layer}", f"--seed {seed}",
              f"--examples {examples}", f"--runs {runs}",
              f"--findings {findings}"]
    words += [f"--without {one}" for one in without]
    return " ".join(words if known else [*words, "--no-known"])


def _run(
    search: Search, members: Sequence[Session], folder: Path, again: str,
    places: Places,
) -> int:
    """Searches one group; gives the exit status."""
    from plumbline.fuzz import write_case
    from plumbline.terminal import bars

    names = ", ".join(one.identity.label for one in members)
    layer = search.language.layer
    begun = time.monotonic()
    found = 0
    with bars() as make:
        search.progress = make(f"{layer}: {names}")
        for finding in search.findings():
            found += 1
            path = write_case(finding, folder, again)
            _tell(finding, places.short(path))
    seconds = time.monotonic() - begun
    click.echo(_summary(search, names, found, seconds))
    if found:
        return 1
    counts = search.checker.counts
    ran = any(counts[f"run {one.identity.label}"] for one in members)
    return 0 if ran else 2


def _tell(finding: Finding, path: str) -> None:
    click.echo(f"{', '.join(finding.culprits)}: not what the model allows: "
               f"{path}")
    allowed = finding.allowed.traces
    for one in finding.evidence:
        if one.wrong:
            for outcome, count in one.outcomes:
                if outcome.kind != "trace" or outcome.trace not in allowed:
                    click.echo(f"  {one.label}, {count} x: {outcome.text}")


def _summary(
    search: Search, names: str, found: int, seconds: float
) -> str:
    counts = search.checker.counts
    programs = counts["programs"]
    rate = programs / seconds if seconds > 0 else 0.0
    parts = [
        f"{programs} programs ({rate:.0f} a second), {counts['runs']} runs",
        f"{found} found",
    ]
    for kind, word in (
        ("limit", "with too many states"),
        ("stuck", "that may sleep for ever"),
        ("failed", "that the model refuses"),
        ("unsupported", "not supported"),
        ("fleeting", "seen once and never again"),
        ("slow", "explained by a slow machine"),
    ):
        if counts[kind]:
            parts.append(f"{counts[kind]} {word}")
    end = "; the time was up" if search.over else ""
    return f"{search.language.layer}: {names}: {', '.join(parts)}{end}"
