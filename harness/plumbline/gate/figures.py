# SPDX-License-Identifier: MIT
"""How often the gate is wrong: whole runs of the time lane, counted.

    PYTHONPATH=harness python3 -m plumbline.gate.figures --runs 200 --hogs 2
    PYTHONPATH=harness python3 -m plumbline.gate.figures --inject 10 --runs 50

Both sides are the same library (each process draws one of its layouts); with
--inject, one side wastes so much CPU time on top. With --apart, they are the
same source in layouts of their own, as two builds would be, and what is measured
is what bench/gate.yaml lists. A line per run goes to the
log as it ends; what is in it already is counted, too, so a long series may be
measured in pieces. `--hogs N` keeps N processors busy meanwhile.

Invariant: every run counts, also one whose self-proof failed: it is counted
as no measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline.commands.gate import time_runner
from plumbline.gate._build import LAYOUTS, build_here
from plumbline.gate._config import read_config
from plumbline.gate._time import TimeLane, measure_time
from plumbline.measure import Planned, Watch, calibrate, list_benchmarks
from plumbline.places import Places, find_places

__all__ = ["main", "summary"]

_NAMES = (
    "loop/timers/arm-equal/n:1000", "loop/timers/cancel/n:1000",
    "loop/iteration/empty/fds:1", "loop/async/wake", "loop/queues/immediate",
    "loop/poll/stop-start/n:1000",
)


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """Keeps processors busy while the block runs."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(count)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def _quiet(name: str) -> Any:
    return lambda done, total: None


def one_run(
    bench: Path, base: Sequence[Path], here: Sequence[Path], speaks: str,
    plan: Sequence[Planned], inject: float, seed: int,
) -> dict[str, Any]:
    """One run of the lane, as a line of the log."""
    watch = Watch.begin()
    lane = measure_time(base, here, plan, time_runner(bench, speaks),
                        _quiet, TimeLane(), injected=inject, seed=seed)
    noise = watch.end()
    return {
        "inject": inject,
        "apart": base != here,
        "verdicts": {t.name: t.verdict or t.problem for t in lane.timed},
        "estimates": {t.name: round(t.change.estimate, 4)
                      for t in lane.timed if t.change},
        "valid": not (lane.proof and lane.proof.faults),
        "faults": list(lane.proof.faults) if lane.proof else [],
        "blocks": lane.blocks,
        "load": noise.load, "pressure": noise.pressure,
        "seconds": round(noise.seconds, 1),
    }


def summary(lines: Sequence[Mapping[str, Any]]) -> str:
    """The counts, by how much was injected."""
    parts = []
    for apart, inject in sorted({_kind(line) for line in lines}):
        mine = [line for line in lines if _kind(line) == (apart, inject)]
        parts.append(_counted(apart, inject, mine))
    return "\n\n".join(parts)


def _kind(line: Mapping[str, Any]) -> tuple[bool, float]:
    return bool(line.get("apart")), line["inject"]


def _counted(
    apart: bool, inject: float, lines: Sequence[Mapping[str, Any]]
) -> str:
    valid = [line for line in lines if line["valid"]]
    said = [v for line in lines for v in line["verdicts"].values()]
    counts = Counter(said)
    what = f"+{inject:g}% injected" if inject else "identical"
    if apart:
        what += ", in layouts of their own"
    loads = sorted(line["load"] or 0.0 for line in lines)
    rows = [
        f"{what}: {len(lines)} runs, {len(said)} verdicts "
        f"({len(said) // len(lines)} benchmarks), "
        f"load {loads[0]:.1f} to {loads[-1]:.1f}, "
        f"{sum(x['seconds'] for x in lines) / len(lines):.0f} s a run",
        "  " + ", ".join(f"{n} {v}" for v, n in counts.most_common()),
        f"  {len(lines) - len(valid)} runs were no measurement (status 5)",
    ]
    wrong = sum("REGRESSED" in line["verdicts"].values() for line in lines)
    if inject:
        caught = counts["REGRESSED"] / len(said)
        rows.append(f"  caught: {caught:.0%}; called SAME: "
                    f"{counts['SAME']}")
    else:
        rows.append(f"  runs with a false REGRESSED: {wrong}; among those "
                    "that were valid: " + str(sum(
                        "REGRESSED" in line["verdicts"].values()
                        for line in valid)))
    return "\n".join(rows)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="plumbline.gate.figures", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--inject", type=float, default=0.0,
                        metavar="PERCENT")
    parser.add_argument("--apart", action="store_true",
                        help="The sides are in different layouts.")
    parser.add_argument("--hogs", type=int, default=0, metavar="N")
    parser.add_argument("--log", type=Path, metavar="FILE")
    return parser.parse_args(words)


def _measure(
    places: Places, options: argparse.Namespace, log: Path
) -> None:
    layouts = build_here(places, LAYOUTS if options.apart else 0)
    base = layouts[:LAYOUTS]
    here = layouts[LAYOUTS:] if options.apart else base
    (speaks, _), = list_benchmarks(places.bench, [base[0]]).items()
    names = read_config(places.root / "bench" / "gate.yaml").time
    plan, refused = calibrate(places.bench, base[0], speaks,
                              names if options.apart else _NAMES,
                              _quiet(""), target=0.001, limit=0.05)
    if refused:
        raise SystemExit(f"cannot be measured: {refused[0]}")
    for _ in range(options.runs):
        seed = int.from_bytes(os.urandom(4), "big")
        line = one_run(places.bench, base, here, speaks, plan,
                       options.inject, seed)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def main(words: Sequence[str] | None = None) -> int:
    """Measure, then count everything in the log."""
    options = _options(words)
    places = find_places()
    log = options.log or places.out / "gate" / "figures.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    if options.runs > 0:
        with hogs(options.hogs):
            _measure(places, options, log)
    lines = [json.loads(x) for x in log.read_text().splitlines()]
    print(summary(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
