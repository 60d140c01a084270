# SPDX-License-Identifier: MIT
"""One measurement: every leak and its cure on every implementation, what a
comparison of snapshots names, and the cache outside of the process.

Invariant: what failed is a problem of the file, and what was measured beside it
is there nevertheless.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline.errors import PlumblineError, RunError
from plumbline.leaks._document import FORMAT, read_leaks
from plumbline.leaks._labs import Lab, find_labs, lines_of
from plumbline.leaks._outside import measure_outside
from plumbline.measure import machine
from plumbline.measure._document import write_whole
from plumbline.places import Places
from plumbline.registry import read_registry

__all__ = ["measure_leaks", "problems"]

LEAKS = ("cache", "queue", "closure", "exports", "listeners", "rooms",
         "slices")
STATES = ("leaks", "cured")
_LONGEST = 300  # seconds; a run takes one or two


def measure_leaks(
    places: Places, quick: bool, out: Path,
    tell: Callable[[str], None] = lambda text: None,
) -> Mapping[str, Any]:
    """Measure, and give what was written to `out`/leaks.json. tell: is called
    with what is being done."""
    labs = find_labs(places, read_registry(places))
    rounds = 10 if quick else 30
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="plumb-leaks-") as folder:
        for number, leak in enumerate(LEAKS):
            for state in STATES:
                # Another one begins each time.
                turn = number % len(labs)
                for lab in labs[turn:] + labs[:turn]:
                    tell(f"{lab.label}: {leak}, {state}")
                    runs.append(_run(places, lab, leak, state, rounds,
                                     Path(folder) / "snapshot"))
    order = [lab.label for lab in labs]
    runs.sort(key=lambda run: (order.index(run["implementation"]),
                               LEAKS.index(run["leak"]),
                               STATES.index(run["state"])))
    outside, skipped = measure_outside(labs, quick, tell)
    value = {
        "format": FORMAT,
        "command": "plumbline bench --leaks" + (" --quick" if quick else ""),
        "machine": machine(),
        "rounds": rounds,
        "runs": runs,
        "outside": outside,
        "skipped": skipped,
    }
    file = out / "leaks.json"
    write_whole(file, json.dumps(value, indent=1) + "\n")
    return read_leaks(file)


def _run(
    places: Places, lab: Lab, leak: str, state: str, rounds: int, prefix: Path
) -> dict[str, Any]:
    """One run; a comparison where it leaks."""
    run: dict[str, Any] = {"implementation": lab.label, "leak": leak,
                           "state": state}
    words = [*lab.leaks, leak, state, "--rounds", str(rounds)]
    if state == "leaks":
        words += ["--snapshots", str(prefix)]
    try:
        lines = lines_of(words, lab.env, _LONGEST)
        first, last = lines[0], lines[-1]
        if first["kind"] != "start" or last["kind"] != "end":
            raise RunError("it did not come to its end", place=words[0])
        run |= {key: last[key] for key in (
            "verdict", "collections", "leaks", "memwatch", "seenBy", "kept")}
        run["culprit"] = first["culprit"]
        run["samples"] = [
            {key: value for key, value in line.items() if key != "kind"}
            for line in lines if line["kind"] == "sample"]
        run["events"] = [line for line in lines if line["kind"] == "leak"]
        if state == "leaks":
            run["comparison"] = _compare(places, prefix, first["culprit"])
    except (PlumblineError, KeyError) as error:
        run["problem"] = f"{error}"
    for file in prefix.parent.glob(f"{prefix.name}*"):
        file.unlink()
    return run


def _compare(places: Places, prefix: Path, culprit: str) -> dict[str, Any]:
    """Whom plumb-heap names, and by how many there are more of whom it should
    have named."""
    done = subprocess.run(
        [str(places.built("ref/apps/plumb-heap/plumb-heap")), "diff",
         "--json", "--top", "1000000", f"{prefix}-before.heapsnapshot",
         f"{prefix}-after.heapsnapshot"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=_LONGEST, check=False)
    if done.returncode:
        raise RunError(f"plumb-heap: {done.stderr.strip()}")
    rows: Sequence[Mapping[str, Any]] = json.loads(done.stdout)
    named = next((row for row in rows if row["culprit"]), None)
    more = next((row["added"] - row["removed"] for row in rows
                 if row["constructor"] == culprit), 0)
    return {
        "named": named["constructor"] if named else None,
        "more": more,
        "path": [f"{step['edge']} {step['name']}".strip()
                 for step in (named or {}).get("path", ())],
    }


def problems(value: Mapping[str, Any]) -> list[str]:
    """What is not as it should be: a leak that was not called one, a cure that
    was, a program that failed."""
    found = []
    wanted = {"leaks": "leak", "cured": "steady"}
    for run in value["runs"]:
        who = f"{run['implementation']}: {run['leak']}, {run['state']}"
        if "problem" in run:
            found.append(f"{who}: {run['problem']}")
        elif run["verdict"] != wanted[run["state"]]:
            found.append(f"{who}: {run['verdict']}")
    return found + [f"{arm['implementation']}: cache in {arm['where']}: "
                    f"{arm['problem']}"
                    for arm in value["outside"] if "problem" in arm]
