# SPDX-License-Identifier: MIT
"""`plumbline gate`: is what is here slower than a base revision?"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from math import log1p
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.errors import MeasurementError, UsageError

if TYPE_CHECKING:
    from plumbline.gate import Config, Gate
    from plumbline.measure import Crash, Planned, Record
    from plumbline.places import Places

__all__ = ["command"]

_LANES = ("exact", "instructions", "time")
_EPILOG = """\b
Examples:
  plumbline gate main                     this checkout against main
  plumbline gate HEAD~1 --filter timers
  plumbline gate main --lane exact        counters only: seconds
  plumbline gate main --markdown gate.md --strict
\b
Exit status: 0 nothing is slower; 3 something is, or a counter grew; 4 with
--strict something cannot be told; 5 no valid measurement: the base does not
build, a benchmark failed, or the run could not tell equal from unequal; 2
the command line asks for what cannot be.
"""

Bar = Callable[[int, int | None], None]


@click.command("gate", epilog=_EPILOG)
@click.argument("base", metavar="BASE")
@click.option("--filter", "pattern", metavar="REGEX",
              help="These benchmarks, instead of those of bench/gate.yaml.")
@click.option("--lane", "lanes", multiple=True, type=click.Choice(_LANES),
              help="Only this lane (may be repeated).")
@click.option("--margin", type=click.FloatRange(0, 100), default=3.0,
              show_default=True, metavar="PERCENT",
              help="What counts as no change.")
@click.option("--inject", type=click.FloatRange(0, 1000), default=0.0,
              metavar="PERCENT",
              help="Waste so much work here, to see the gate fail.")
@click.option("--strict", is_flag=True,
              help="Status 4 where something cannot be told.")
@click.option("--no-cases", is_flag=True,
              help="Do not run the benchmarks' cases first.")
@click.option("--markdown", "markdown_file", metavar="FILE",
              type=click.Path(path_type=Path),
              help="Write a summary for a merge request.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where the JSON goes (default: out/gate).")
def command(
    base: str,
    pattern: str | None,
    lanes: tuple[str, ...],
    margin: float,
    inject: float,
    strict: bool,
    no_cases: bool,
    markdown_file: Path | None,
    out: Path | None,
) -> int:
    """Hold this checkout's reference against revision BASE.

    BASE is built from a work tree with the same options. Counters are held
    against reports/baselines/; instructions (where there is valgrind) and
    process CPU time against BASE, in interleaved processes. The same run
    shows that it is worth something: base against base must be SAME, and 15%
    more work REGRESSED.
    """
    from plumbline.gate import gate_status, gate_tables, write_gate
    from plumbline.gate._table import markdown
    from plumbline.measure import Watch
    from plumbline.places import find_places
    from plumbline.terminal import output

    places = find_places()
    wanted = set(lanes or _LANES)
    begun, watch = time.monotonic(), Watch.begin()
    gate, work = _prepare(places, base, pattern, wanted, not no_cases,
                          log1p(margin / 100), inject)
    interrupted = False
    try:
        work()
        gate.complete = True
    except KeyboardInterrupt:
        interrupted = True
        gate.problems.append("interrupted: these are the results so far")
    except MeasurementError as error:  # the results so far are kept
        gate.problems.append(
            f"{error.place}: {error}" if error.place else str(error))
    gate.seconds = time.monotonic() - begun
    gate.noise = watch.end().to_json()
    status = gate_status(gate, strict)
    path = write_gate(out or places.out / "gate", gate, status)
    console = output()
    console.print(gate_tables(gate, status))
    console.print(f"noise: {watch.end()}; {gate.seconds:.0f} s", style="dim")
    click.echo(f"results: {places.short(path)}")
    if markdown_file:
        markdown_file.write_text(markdown(gate, status), encoding="utf-8")
    return 130 if interrupted else status


def _selected(
    names: Sequence[str], wanted: Sequence[str], pattern: str | None
) -> list[str]:
    """The benchmarks of a lane: those of the file's globs, or by --filter."""
    if pattern is None:
        return [n for n in names if any(fnmatchcase(n, w) for w in wanted)]
    try:
        return [n for n in names if re.search(pattern, n)]
    except re.error as error:
        raise UsageError(f"this is no regular expression: {error}",
                         place=pattern) from error


def _prepare(
    places: Places, base: str, pattern: str | None, lanes: set[str],
    cases: bool, margin: float, inject: float,
) -> tuple[Gate, Callable[[], None]]:
    """The gate and the work that fills it."""
    from plumbline.gate import Gate, build_arms, read_config
    from plumbline.gate._result import NEW
    from plumbline.measure import list_benchmarks, machine
    from plumbline.terminal import bars, remarks

    config = read_config(places.root / "bench" / "gate.yaml")
    arms = build_arms(places, base, lambda text: remarks().print(text),
                      needed=lanes != {"exact"})
    offered = list_benchmarks(places.bench, [arms.here[0]])
    (speaks, names), = offered.items()
    known = set(names if arms.base == arms.here else next(iter(
        list_benchmarks(places.bench, [arms.base[0]]).values())))
    timed = _selected(names, config.time, pattern)
    if not timed:
        raise UsageError(
            f"no benchmark matches '{pattern}'" if pattern
            else "bench/gate.yaml selects no benchmark")
    gate = Gate(base, arms.commit, arms.head, arms.dirty,
                " ".join(["plumbline", *sys.argv[1:]]), machine())
    fresh = [name for name in timed if name not in known]
    if fresh:
        gate.skipped[NEW] = ("the base cannot do "
                             + ", ".join(fresh))
    old = [name for name in timed if name in known]
    if lanes != {"exact"} and len(arms.here) == 1:
        gate.skipped["layouts"] = ("without lld each side has one layout, "
                                   "which may be worth some per cent")

    def work() -> None:
        with bars() as make:
            if cases:
                _cases(places, config, timed, gate)
            if "exact" in lanes:
                _exact(places, speaks, names, config, pattern, gate,
                       make("counters"))
            if "instructions" in lanes:
                _instructions(places, gate, arms.base[0], arms.here[0],
                              [n for n in _selected(names, config.instructions,
                                                    pattern) if n in known],
                              make("instructions"))
            if "time" in lanes and old:
                _time(places, gate, arms.base, arms.here, speaks, old,
                      margin, inject, make)

    return gate, work


def _cases(
    places: Places, config: Config, names: Sequence[str], gate: Gate
) -> None:
    """No right answer, no time: the cases that the benchmarks stand on."""
    from plumbline.judge import Request, judge
    from plumbline.registry import read_registry

    select = config.cases_of(names)
    if not select:
        gate.skipped["cases"] = "bench/gate.yaml names none for these"
        return
    target = read_registry(places).resolve("ref")
    outcome = judge(places, target, Request(select=tuple(select)),
                    places.out / "gate" / "cases")
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.results is None or not outcome.proved:
        gate.problems.append(f"the cases proved nothing: {outcome.message}")
        return
    for case in outcome.results.cases.values():
        if case.unexpected:
            gate.problems.append(f"case {case.id}: {case.verdict}, so the "
                                 "time of it means nothing")


def _exact(
    places: Places, speaks: str, names: Sequence[str], config: Config,
    pattern: str | None, gate: Gate, bar: Bar,
) -> None:
    from plumbline.gate import (
        check_exact,
        count,
        read_baseline,
        read_waivers,
    )

    folder = places.root / "reports" / "baselines"
    baseline = read_baseline(folder / "ref.json")
    if not baseline:
        gate.skipped["exact"] = ("nothing was accepted yet: plumbline accept "
                                 "--reason TEXT")
        return
    selected = _selected(names, config.exact, pattern)
    if pattern is not None:
        baseline = {k: v for k, v in baseline.items() if k[0] in selected}
    run = counting(places, speaks)
    gate.exact = check_exact(
        baseline, count(run, selected, 2, bar),
        read_waivers(folder / "waivers.yaml"), date.today(),
        lambda again: count(run, again, 1, bar))


def counting(
    places: Places, speaks: str
) -> Callable[[Sequence[str]], tuple[list[Record], list[Crash]]]:
    """Runs benchmarks once, for their counters."""
    from plumbline.gate._build import LIBRARY
    from plumbline.measure._rounds import run_surviving

    library = places.built(LIBRARY)

    def run(names: Sequence[str]) -> tuple[list[Record], list[Crash]]:
        return run_surviving(
            places.bench, library,
            {n: f"{n}/impl:{speaks} 1 2" for n in names}, speaks,
            syscalls=True)

    return run


def _instructions(
    places: Places, gate: Gate, base: Path, here: Path,
    names: Sequence[str], bar: Bar,
) -> None:
    from plumbline.gate import count_instructions
    from plumbline.gate._instructions import callgrind, missing

    why = missing()
    if why or not names:
        gate.skipped["instructions"] = why or "no benchmark is selected"
        return
    gate.instructions = count_instructions(callgrind(places.bench), base,
                                           here, names, bar)


def _time(
    places: Places, gate: Gate, base: Sequence[Path], here: Sequence[Path],
    speaks: str, names: Sequence[str], margin: float, inject: float,
    make: Callable[[str], Bar],
) -> None:
    from plumbline.gate import TimeLane, latencies, measure_time
    from plumbline.measure import calibrate
    from plumbline.measure import Crash as Crashed

    plan, refused = calibrate(places.bench, base[0], speaks, names,
                              make("trying"), limit=0.15)
    for one in refused:
        gate.problems.append(
            f"base: {one}" if isinstance(one, Crashed)
            else f"base: {one.name}: {one.error}")
    if not plan:
        raise MeasurementError("no benchmark can be measured: "
                               + "; ".join(gate.problems))
    gate.time = TimeLane()
    measure_time(base, here, plan, time_runner(places.bench, speaks), make,
                 gate.time, margin=margin, injected=inject)
    gate.latency = latencies(gate.time.records.get("A", ()),
                             gate.time.records.get("B", ()))


def time_runner(
    bench: Path, speaks: str
) -> Callable[..., tuple[list[Record], list[Crash]]]:
    """Runs a plan on an arm."""
    from plumbline.gate import Arm
    from plumbline.measure._rounds import run_surviving

    def run(
        arm: Arm, plan: Sequence[Planned]
    ) -> tuple[list[Record], list[Crash]]:
        return run_surviving(bench, arm.library,
                             {p.name: p.line(speaks) for p in plan}, speaks,
                             extra=arm.extra)

    return run
