# SPDX-License-Identifier: MIT
"""`plumbline bench`: implementations side by side, or the suite itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.errors import UsageError

if TYPE_CHECKING:
    from plumbline.places import Places

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline bench                          reference and libuv
  plumbline bench ref --filter timers
  plumbline bench --provider ./libmine.so  yours beside them
  plumbline bench --ratios                 what the reference is to reach
  plumbline bench --ratios --filter pool --rounds 9
  plumbline bench --suite                  the suite's own figures
"""


@click.command("bench", epilog=_EPILOG)
@click.argument("implementations", nargs=-1, metavar="[IMPL]...")
@click.option("--filter", "pattern", metavar="REGEX",
              help="Only the benchmarks whose name matches.")
@click.option("--min-time", type=click.FloatRange(min=0, min_open=True),
              metavar="SECONDS", help="Measure each at least so long.")
@click.option("--provider", "libraries", multiple=True, metavar="LIB",
              type=click.Path(path_type=Path),
              help="A provider library of your own, too.")
@click.option("--ratios", is_flag=True,
              help="The reference against its peers, in rounds, with targets.")
@click.option("--rounds", type=click.IntRange(min=1), metavar="N",
              help="With --ratios: how many (default: 5).")
@click.option("--suite", is_flag=True,
              help="Measure the suite itself and print its targets.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where the JSON goes (default: out/bench).")
def command(
    implementations: tuple[str, ...],
    pattern: str | None,
    min_time: float | None,
    libraries: tuple[Path, ...],
    ratios: bool,
    rounds: int | None,
    suite: bool,
    out: Path | None,
) -> int:
    """Run the benchmarks on provider libraries, side by side.

    The results are google-benchmark JSON in out/bench/. With --ratios, what
    bench/targets.yaml lists is measured in interleaved rounds and held
    against its targets. With --suite, the suite measures itself: what the
    judge costs per case, how many cases a second the adapters do, how long a
    run and a rebuild take.
    """
    from plumbline.places import find_places

    places = find_places()
    if suite:
        if implementations or pattern or libraries or min_time or ratios:
            raise UsageError("--suite stands alone")
        return _suite(places)
    if ratios:
        if implementations or libraries:
            raise UsageError("--ratios measures what bench/targets.yaml names")
        return _ratios(places, pattern, rounds or 5, min_time or 0.05,
                       out or places.out / "bench")
    if rounds:
        raise UsageError("--rounds belongs to --ratios")
    return _bench(places, implementations, pattern, min_time, libraries,
                  out or places.out / "bench")


def _bench(
    places: Places,
    names: tuple[str, ...],
    pattern: str | None,
    min_time: float | None,
    libraries: tuple[Path, ...],
    out: Path,
) -> int:
    from plumbline.benchmarks import bench_table, read_measures, run_bench
    from plumbline.registry import own_provider, read_registry
    from plumbline.terminal import bars, output

    registry = read_registry(places)
    targets = [registry.resolve(name) for name in names or ("ref", "libuv")]
    targets += [own_provider(path, "") for path in libraries]
    providers: list[Path] = []
    for target in targets:
        if target.provider is None:
            raise UsageError(
                f"{target.name} is no provider library",
                remedy="benchmarks run on ref, libuv, or --provider LIB.so",
            )
        providers.append(target.provider)
    file = out / f"{'-'.join(target.name for target in targets)}.json"
    with bars() as make:
        run_bench(places, providers, file, pattern, min_time,
                  make("benchmarks"))
    measures = read_measures(file)
    output().print(bench_table(measures))
    click.echo(f"results: {places.short(file)}")
    return 1 if any(measure.error for measure in measures) else 0


def _ratios(
    places: Places,
    pattern: str | None,
    rounds: int,
    min_time: float,
    out: Path,
) -> int:
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
