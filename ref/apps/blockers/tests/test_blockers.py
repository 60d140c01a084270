# SPDX-License-Identifier: MIT
"""The examples hold the loop before the cure and do not after it.

Invariant: what is expected holds on a busy machine too: a hold cannot be
shorter than what the program did, and of several tries the best one counts
where something must be short.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

BIN = Path(os.environ["PLUMB_BLOCKERS"])
Json = dict[str, Any]


def run(program: str, mode: str, file: Path) -> str:
    done = subprocess.run([BIN / program, mode, file], capture_output=True,
                          text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def explain(file: Path) -> Json:
    done = subprocess.run(
        [sys.executable, "-m", "plumbline.cli", "explain-latency", file,
         "--json", "--threshold", "0"],
        capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    found: Json = json.loads(done.stdout)
    return found


def held(latency: Json, function: str) -> float:
    return float(max((hold["held"] for hold in latency["holds"]
                      if hold["function"] == function), default=0.0))


def late(latency: Json, function: str) -> float:
    return float(max(timer["worst_late"] for timer in latency["timers"]
                     if timer["function"] == function))


def number(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    assert match, text
    return float(match[1])


def check_invariants(file: Path) -> Json:
    """What every reader of the format takes for granted, and more."""
    profile: Json = json.loads(file.read_text("ascii"))
    nodes = {node["id"]: node for node in profile["nodes"]}
    assert len(nodes) == len(profile["nodes"])
    assert profile["nodes"][0]["callFrame"]["functionName"] == "(root)"
    children = [child for node in profile["nodes"]
                for child in node.get("children", [])]
    assert sorted(children) == sorted(nodes.keys() - {1})
    assert len(profile["samples"]) == len(profile["timeDeltas"])
    assert all(sample in nodes for sample in profile["samples"])
    assert all(delta >= 0 for delta in profile["timeDeltas"])
    assert sum(profile["timeDeltas"]) == (
        profile["endTime"] - profile["startTime"])
    for number_, node in nodes.items():
        assert node["hitCount"] == profile["samples"].count(number_)
    fired = [timer[1] for timer in profile["plumb"]["timers"]]
    assert fired == sorted(fired)
    assert profile["plumb"]["kinds"].keys() <= {str(n) for n in nodes}
    return profile


EVERY = [("plumb-busy-wait", "blocks"), ("plumb-busy-wait", "timer"),
         ("plumb-cpu-request", "blocks"), ("plumb-cpu-request", "pool"),
         ("plumb-cpu-request", "immediates")]


@pytest.mark.parametrize(("program", "mode"), EVERY)
def test_profiles_keep_the_invariants_of_the_format(
    program: str, mode: str, tmp_path: Path
) -> None:
    """Ids, children, hits and times agree with each other."""
    file = tmp_path / "p.cpuprofile"
    run(program, mode, file)
    profile = check_invariants(file)
    names = [n["callFrame"]["functionName"] for n in profile["nodes"]]
    assert names[:4] == ["(root)", "(program)", "(idle)", "(event loop)"]
    assert "on_beat" in names


def test_a_busy_wait_holds_the_loop_for_as_long_as_it_sleeps(
    tmp_path: Path
) -> None:
    """100 ms without a turn, one callback named, and every beat late."""
    file = tmp_path / "p.cpuprofile"
    said = run("plumb-busy-wait", "blocks", file)
    assert "0 beats meanwhile" in said
    latency = explain(file)
    worst = latency["holds"][0]
    assert worst["function"] == "on_arrival"
    assert worst["url"] == "ref/apps/blockers/busy_wait.c"
    source = Path(__file__).parents[1] / "busy_wait.c"
    line = source.read_text().splitlines()[worst["line"] - 1]
    assert line.startswith("WATCH_CALLBACK(on_arrival)")
    assert (worst["phase"], worst["kind"]) == ("timers phase", "timer")
    assert 100 <= worst["held"] <= latency["duration"]
    assert late(latency, "on_beat") >= 90
    assert [who["function"] for who in worst["made_late"]] == ["on_beat"]
    beat = next(t for t in latency["timers"] if t["function"] == "on_beat")
    assert beat["held_by"] == "on_arrival"


def test_a_timer_sleeps_without_holding_anything(tmp_path: Path) -> None:
    """At least as long, and the beats go on."""
    file = tmp_path / "p.cpuprofile"
    for _ in range(5):
        said = run("plumb-busy-wait", "timer", file)
        assert number(r"slept ([\d.]+) ms", said) >= 99
        latency = explain(file)
        if held(latency, "on_arrival") < 10 and (
                number(r"(\d+) beats meanwhile", said) >= 10):
            return
    pytest.fail(f"{said}{latency['holds'][:3]}")


def test_the_cpu_heavy_request_is_named(tmp_path: Path) -> None:
    """What the client waits for is what the loop was held for."""
    file = tmp_path / "p.cpuprofile"
    run("plumb-cpu-request", "blocks", file)
    latency = explain(file)
    worst = latency["holds"][0]
    assert worst["function"] == "on_request"
    assert (worst["phase"], worst["kind"]) == ("poll phase", "poll")
    assert late(latency, "on_beat") >= worst["held"] - 10


@pytest.mark.parametrize("mode", ["pool", "immediates"])
def test_both_cures_give_the_loop_its_turns(mode: str, tmp_path: Path) -> None:
    """The same answer, and the longest hold a small part of the work."""
    file = tmp_path / "p.cpuprofile"
    for _ in range(6):
        run("plumb-cpu-request", "blocks", file)
        before = held(explain(file), "on_request")
        said = run("plumb-cpu-request", mode, file)
        assert "33860 primes" in said
        latency = explain(file)
        longest = latency["holds"][0]["held"]
        if longest < before / 3 and late(latency, "on_beat") < before / 2:
            break
    else:
        pytest.fail(f"{before} ms before, now {longest}: {said}")
    if mode == "immediates":
        pieces = [h for h in latency["holds"] if h["function"] == "on_piece"]
        assert len(pieces) > 5
        starts = sorted((h["at"], h["held"]) for h in pieces)
        assert all(a + length <= b + 0.002
                   for (a, length), (b, _) in pairwise(starts))


def test_usage_and_files_that_cannot_be_written_end_with_2(
    tmp_path: Path
) -> None:
    """A message and a status, and no file."""
    for program, mode in EVERY:
        missing = tmp_path / "no" / "p"
        done = subprocess.run([BIN / program, mode, missing],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert "no such file or directory" in done.stderr
        done = subprocess.run([BIN / program], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 2
        assert done.stderr.startswith(f"usage: {program}")
