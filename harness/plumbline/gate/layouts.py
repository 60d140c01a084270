# SPDX-License-Identifier: MIT
"""How much of a benchmark's time is its layout: what bench/gate.yaml may list.

    PYTHONPATH=harness python3 -m plumbline.gate.layouts [--rounds N] [NAME]...

Each layout of the library that is here runs each benchmark (without NAME,
those of the time lane), in another order every round; a layout's time is the
median of its rounds. A side of the gate has so few layouts that benchmarks
whose layouts lie further apart than the margin would be called slower, or
faster, when code beside them moved.

Invariant: nothing is left out: a benchmark that cannot be measured ends it.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median, pstdev

from plumbline.gate._build import build_here
from plumbline.gate._config import read_config
from plumbline.measure import calibrate, list_benchmarks, run_planned
from plumbline.places import Places, find_places

__all__ = ["Spread", "main", "spread"]

# Layouts of one benchmark: a list of rounds for each.
Spread = dict[str, list[list[float]]]


def spread(found: Spread) -> list[str]:
    """A line per benchmark, the worst first."""
    rows = []
    for name, layouts in found.items():
        times = [median(rounds) for rounds in layouts]
        rows.append((pstdev(times) / fmean(times),
                     max(times) / min(times) - 1, name))
    return [f"{name:45s} standard deviation {apart:6.1%}, "
            f"most to least {most:6.1%}"
            for apart, most, name in sorted(rows, reverse=True)]


def _measure(places: Places, names: Sequence[str], rounds: int) -> Spread:
    layouts = build_here(places)
    (speaks, _), = list_benchmarks(places.bench, [layouts[0]]).items()
    plan, refused = calibrate(places.bench, layouts[0], speaks, names,
                              lambda done, total: None)
    if refused:
        raise SystemExit(f"cannot be measured: {refused[0]}")
    found: Spread = {one.name: [[] for _ in layouts] for one in plan}
    draw = random.Random(1)
    for _ in range(rounds):
        for layout in draw.sample(range(len(layouts)), len(layouts)):
            _run(places.bench, layouts[layout],
                 [one.line(speaks) for one in plan], layout, found)
    return found


def _run(
    bench: Path, library: Path, plan: Sequence[str], layout: int,
    found: Spread,
) -> None:
    process = run_planned(bench, [library], plan)
    if process.crash:
        raise SystemExit(f"cannot be measured: {process.crash}")
    for record in process.records:
        if record.error:
            raise SystemExit(f"{record.name}: {record.error}")
        found[record.name][layout].append(min(record.cpu))


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="plumbline.gate.layouts", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(words)
    places = find_places()
    names = options.names or read_config(
        places.root / "bench" / "gate.yaml").time
    print("\n".join(spread(_measure(places, names, options.rounds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
