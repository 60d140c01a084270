# SPDX-License-Identifier: MIT
"""`plumbline bench`: implementations side by side, or the suite itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.completing import complete_implementations
from plumbline.errors import MeasurementError, UsageError

if TYPE_CHECKING:
    from plumbline.measure import Contender, Document, Rounds, Watch
    from plumbline.places import Places
    from plumbline.registry import Target

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline bench                          what is found here, side by side
  plumbline bench --quick                  the smallest sizes, below a minute
  plumbline bench ref libuv node --filter timers
  plumbline bench --provider ./libmine.so  yours beside them
  plumbline bench --ratios                 what the reference is to reach
  plumbline bench --ratios --filter pool --rounds 9
  plumbline bench --ratios --figures bench/FIGURES.md
  plumbline bench --io-models              five ways to wait for descriptors
  plumbline bench --ways-to-serve          eight ways to serve connections
  plumbline bench --leaks                  the classic leaks and their cures
  plumbline bench --suite                  the suite's own figures
"""

_QUICK_BUDGET = 40.0  # seconds after which --quick begins no round


@click.command("bench", epilog=_EPILOG)
@click.argument("implementations", nargs=-1, metavar="[IMPL]...",
                shell_complete=complete_implementations)
@click.option("--filter", "pattern", metavar="REGEX",
              help="Only the benchmarks whose name matches.")
@click.option("--quick", is_flag=True,
              help="Each benchmark's smallest size, in less than a minute.")
@click.option("--min-time", type=click.FloatRange(min=0, min_open=True),
              metavar="SECONDS", help="Measure each at least so long.")
@click.option("--provider", "libraries", multiple=True, metavar="LIB",
              type=click.Path(path_type=Path),
              help="A provider library of your own, too.")
@click.option("--adapter", "adapters", multiple=True, metavar="CMD",
              help="An adapter of your own, too.")
@click.option("--ratios", is_flag=True,
              help="The reference against its peers, in rounds, with targets.")
@click.option("--rounds", type=click.IntRange(min=1), metavar="N",
              help="Processes per implementation (default: 5).")
@click.option("--figures", type=click.Path(path_type=Path, exists=True,
                                           dir_okay=False, writable=True),
              metavar="FILE",
              help="With --ratios: refresh the rows of its tables.")
@click.option("--io-models", "models", is_flag=True,
              help="The five I/O models, for 1 to 10,000 descriptors.")
@click.option("--ways-to-serve", "ways", is_flag=True,
              help="A service over one core and over many, in eight ways.")
@click.option("--leaks", is_flag=True,
              help="The leak lab on every runtime that is here.")
@click.option("--suite", is_flag=True,
              help="Measure the suite itself and print its targets.")
@click.option("--history/--no-history", "keep", default=None,
              help="Append to the history (default: unless --quick).")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where the JSON goes (default: out/bench).")
def command(
    implementations: tuple[str, ...],
    pattern: str | None,
    quick: bool,
    min_time: float | None,
    libraries: tuple[Path, ...],
    adapters: tuple[str, ...],
    ratios: bool,
    rounds: int | None,
    figures: Path | None,
    models: bool,
    ways: bool,
    leaks: bool,
    suite: bool,
    keep: bool | None,
    out: Path | None,
) -> int:
    """Run the benchmarks of implementations, side by side.

    Provider libraries run in plumb-bench, runtimes through their adapter's
    `bench` command, under the same names; without IMPL, the reference, libuv
    and each JavaScript runtime that is here. Every round is a process per
    implementation, in an order drawn anew. The results are google-benchmark
    JSON in out/bench/, with raw samples, the machine's fingerprint and how
    noisy it was.

    With --ratios, what bench/targets.yaml lists is measured in interleaved
    rounds and held against its targets. With --io-models, the programs of
    ref/apps/io-models do the same work in five ways, with --ways-to-serve
    those of ref/apps/ways-to-serve in eight; `plumbline report --performance`
    draws them. With --leaks, the programs of ref/apps/leak-lab run on everybody
    who is here, before and after their cures. With --suite, the suite measures
    itself: what the judge costs per case, how many cases a second the
    adapters do, how long a run and a rebuild take.
    """
    from plumbline.places import find_places

    places = find_places()
    own = libraries or adapters
    if figures and not ratios:
        raise UsageError("--figures goes with --ratios")
    if leaks:
        if implementations or pattern or own or min_time or ratios or \
                rounds or models or ways or suite:
            raise UsageError("--leaks goes with --quick and --out only")
        return _leaks(places, quick, out or places.out / "leaks")
    if suite:
        if implementations or pattern or own or min_time or ratios or quick or \
                ways:
            raise UsageError("--suite stands alone")
        return _suite(places)
    if models or ways:
        which = "--io-models" if models else "--ways-to-serve"
        if implementations or pattern or own or min_time or ratios or \
                rounds or (models and ways):
            raise UsageError(f"{which} goes with --quick and --out only")
        measure = _io_models if models else _ways_to_serve
        return measure(places, quick, out or places.out / "bench")
    if ratios:
        if implementations or own or quick:
            raise UsageError("--ratios measures what bench/targets.yaml names")
        return _ratios(places, pattern, rounds or 5, min_time or 0.05,
                       out or places.out / "bench", figures)
    return _bench(places, implementations, libraries, adapters,
                  pattern, quick, min_time, rounds,
                  not quick if keep is None else keep,
                  out or places.out / "bench")


def _targets(
    places: Places,
    names: tuple[str, ...],
    libraries: tuple[Path, ...],
    adapters: tuple[str, ...],
) -> list[Target]:
    from plumbline.registry import (
        own_adapter,
        own_provider,
        read_registry,
        resolve_all,
    )

    registry = read_registry(places)
    if names:
        targets = resolve_all(registry, names)
    else:
        targets = [registry.resolve(name) for name in ("ref", "libuv")]
        for entry in registry.entries.values():
            if any(w.endswith("js/adapter.cjs") for w in entry.adapter):
                targets += registry.found(entry)[:1]
    targets += [own_provider(path, "") for path in libraries]
    return targets + [own_adapter(words, "") for words in adapters]


def _offered(
    places: Places, provider: Path, pattern: str | None
) -> tuple[str, list[str]]:
    """What a provider is called, and its benchmarks that match."""
    from plumbline.measure import list_benchmarks

    try:
        wanted = re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"this is no regular expression: {error}",
                         place=pattern) from error
    (speaks, names), = list_benchmarks(places.bench, [provider]).items()
    return speaks, [name for name in names if wanted.search(name)]


def _contenders(
    places: Places, targets: Sequence[Target], pattern: str | None,
    quick: bool,
) -> list[Contender]:
    """Who takes part: a provider says itself what it is called and has."""
    from plumbline.measure import Contender
    from plumbline.measure._adapter import workload_of
    from plumbline.measure._programs import programs_of

    if not any(target.provider for target in targets):
        raise UsageError(
            "an adapter is measured beside a provider library, which says "
            "what there is to measure", remedy="name ref, too")
    found: list[Contender] = []
    for target in targets:
        names: list[str] = []
        speaks = target.title
        if target.provider is not None:
            speaks, names = _offered(places, target.provider, pattern)
        if quick:  # the first size of each
            firsts = {workload_of(n)[0]: n for n in reversed(names)}
            names = [n for n in names if n in firsts.values()]
        taken = sum(one.speaks == speaks for one in found)
        label = f"{speaks}#{taken + 1}" if taken else speaks
        programs = [p for p in programs_of(places.bench, target, label, quick)
                    if pattern is None or re.search(pattern, p.name)]
        found.append(Contender(label, target, names, speaks, programs))
    if pattern and not any(one.names or one.programs for one in found):
        raise UsageError(f"no benchmark matches '{pattern}'")
    return found


def _bench(
    places: Places,
    names: tuple[str, ...],
    libraries: tuple[Path, ...],
    adapters: tuple[str, ...],
    pattern: str | None,
    quick: bool,
    min_time: float | None,
    rounds: int | None,
    keep: bool,
    out: Path,
) -> int:
    from plumbline.benchmarks import bench_table
    from plumbline.measure import (
        Amount,
        Rounds,
        Watch,
        measure_rounds,
        read_document,
    )
    from plumbline.terminal import bars, output

    targets = _targets(places, names, libraries, adapters)
    contenders = _contenders(places, targets, pattern, quick)
    amount = Amount(
        rounds=rounds or 5,
        target=min_time / 5 if min_time else 0.002 if quick else 0.003,
        limit=max(min_time or 0, 0.1 if quick else 0.25),
        budget=_QUICK_BUDGET if quick else None,
        syscalls=not quick,
    )
    file = out / f"{'-'.join(one.label for one in contenders)}.json"
    watch = Watch.begin()
    done = Rounds()
    interrupted = False
    with bars() as make:
        try:
            measure_rounds(places.bench, contenders, amount, make, done)
        except KeyboardInterrupt:
            interrupted = True
    if not any(done.rounds):
        raise MeasurementError("nothing was measured: "
                               + "; ".join(map(str, done.problems)))
    _write(file, contenders, done, watch, interrupted)
    document = read_document(file)
    console = output()
    console.print(bench_table(document))
    for crash in done.problems:
        console.print(f"{crash}", style="bold red")
    console.print(f"noise: {_noise(document)}", style="dim")
    click.echo(f"results: {places.short(file)}")
    if interrupted:
        click.echo("interrupted: these are the rounds so far")
        return 130
    if keep:
        from plumbline.history import append

        append(places, [document])
    failed = any(one.error for one in document.series.values())
    return 1 if failed or done.problems else 0


def _noise(document: Document) -> str:
    """The noise of a file in words."""
    from plumbline.measure import Noise

    value = document.noise
    return str(Noise(value["seconds"], value["steal"], value["pressure"],
                     value["load"], value["involuntary"],
                     value["aa_spread"]))


def _write(
    file: Path, contenders: Sequence[Contender], done: Rounds, watch: Watch,
    interrupted: bool,
) -> None:
    from plumbline import __version__
    from plumbline.measure import merge, spread, write_document
    from plumbline.measure._programs import FLOOR

    context = {"suite_version": __version__, "executable": "plumb-bench"}
    if interrupted:
        context["interrupted"] = "true"
    for one in contenders:
        context[f"provider_{one.label}"] = one.target.version or one.label
    words = " ".join(["plumbline", *sys.argv[1:]])
    libraries = {c.label for c in contenders if c.target.provider}
    order = {name: n for n, name in enumerate(
        [name for one in contenders for name in one.names]
        + [p.name for one in contenders for p in one.programs])}
    who = [*(one.label for one in contenders), FLOOR]
    series = sorted(merge(done.rounds), key=lambda s: (
        order.get(s.name, 0), who.index(s.implementation)))
    write_document(file, series, context,
                   watch.end(spread(done.rounds, libraries)), words,
                   done.problems)


def _where(places: Places, results: Path) -> None:
    click.echo(f"results: {places.short(results)}")
    click.echo("pictures: plumbline report --performance")


def _io_models(places: Places, quick: bool, out: Path) -> int:
    from plumbline.benchmarks import bench_table
    from plumbline.io_models import measure_io_models
    from plumbline.terminal import output, remarks

    with remarks().status("measuring the I/O models, for a minute"):
        document = measure_io_models(places, quick, out)
    output().print(bench_table(document))
    _where(places, document.path)
    return 0


def _ways_to_serve(places: Places, quick: bool, out: Path) -> int:
    from plumbline.terminal import output, remarks
    from plumbline.ways_to_serve import measure_ways, ways_table

    with remarks().status("measuring the ways to serve, for a minute or two"):
        document = measure_ways(places, quick, out)
    output().print(ways_table(document))
    _where(places, document.path)
    return 0


def _leaks(places: Places, quick: bool, out: Path) -> int:
    from plumbline.leaks import (
        leak_table,
        measure_leaks,
        outside_table,
        problems,
    )
    from plumbline.terminal import output, remarks

    with remarks().status("measuring the leaks") as status:
        value = measure_leaks(places, quick, out,
                              lambda text: status.update(f"leaks: {text}"))
    output().print(leak_table(value))
    if value["outside"]:
        output().print(outside_table(value))
    for text in value["skipped"]:
        click.echo(f"skipped: {text}")
    wrong = problems(value)
    for text in wrong:
        output().print(text, style="bold red")
    _where(places, out / "leaks.json")
    return 1 if wrong else 0


def _ratios(
    places: Places,
    pattern: str | None,
    rounds: int,
    min_time: float,
    out: Path,
    figures: Path | None,
) -> int:
    from plumbline.ratio_figures import refreshed
    from plumbline.ratios import measure_goals, ratio_table, read_goals
    from plumbline.registry import read_registry
    from plumbline.terminal import bars, output

    goals = [
        goal for goal in read_goals(places.root / "bench" / "targets.yaml")
        if pattern is None or re.search(pattern, goal.bench)
    ]
    if not goals:
        raise UsageError(f"no figure matches '{pattern}'")
    registry = read_registry(places)
    providers: dict[str, Path] = {}
    for name in {g.who for g in goals} | {g.against for g in goals}:
        if name == "ref-uring":  # the reference, told to sleep in io_uring
            providers[name] = places.built("ref/libplumb-ref-uring.so")
            continue
        library = registry.resolve(name).provider
        if library is None:
            raise UsageError(f"{name} is no provider library")
        providers[name] = library
    with bars() as make:
        found = measure_goals(places, goals, providers, out, rounds, min_time,
                              make)
    output().print(ratio_table(found))
    click.echo(f"results: {places.short(out)}/ratios-*.json")
    if figures is not None:
        text, missing = refreshed(figures.read_text(encoding="utf-8"), found)
        figures.write_text(text, encoding="utf-8")
        for title in missing:
            click.echo(f"no row in {figures}: {title}", err=True)
    return 1 if any(one.problem for one in found) else 0


def _suite(places: Places) -> int:
    from plumbline.figures import FIGURES, figure_table
    from plumbline.terminal import output, remarks

    console = remarks()
    found = []
    for figure in FIGURES:
        with console.status(f"measuring: {figure.name}"):
            found.append(figure.measure(places))
    output().print(figure_table(found))
    return 0
