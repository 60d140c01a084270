# SPDX-License-Identifier: MIT
"""Each leak leaks, each cure cures, and a comparison names who was kept.

Invariant: what is expected stands here or in the programs themselves; nothing
is expected of a time, and every process that a test starts it also ends.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BUILD = Path(os.environ["PLUMB_LEAK_LAB"])
LAB = str(BUILD / "plumb-leak-lab")
PLUMB_HEAP = os.environ["PLUMB_HEAP"]
SCRIPTS = Path(__file__).resolve().parent.parent / "js"
NODE = shutil.which("node")
LEAKS = {
    "cache": "Page", "queue": "Job", "closure": "Thing", "exports": "Result",
    "listeners": "Function", "rooms": "Connection", "slices": "Buffer",
}
# V8 compiles, and forgets, for some rounds, and 300 kB of code come or go
# after any other: a round of a leak has to keep more than that.
JUDGED = ["--rounds", "12", "--warm", "8", "--turns"]
TURNS = dict.fromkeys(LEAKS, "600") | {"slices": "200"}  # 4096 fill its ring
Json = dict[str, Any]

each_leak = pytest.mark.parametrize("leak", LEAKS)
both_states = pytest.mark.parametrize("state", ["leaks", "cured"])
needs_node = pytest.mark.skipif(NODE is None, reason="no node in PATH")


def start(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=90,
                          stdin=subprocess.DEVNULL)


def lines_of(words: list[str]) -> list[Json]:
    done = start(words)
    assert done.returncode == 0, done.stderr + done.stdout[-500:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def ref(leak: str, state: str, *more: str) -> list[Json]:
    return lines_of([LAB, leak, state, *more])


def lab(scripts: Path, leak: str, state: str, *more: str) -> list[Json]:
    """The twin in JavaScript. V8 compiles on the thread that runs it, so
    that no round's figure depends on when another thread had time."""
    assert NODE is not None
    return lines_of([NODE, "--expose-gc", "--no-warnings",
                     "--single-threaded", str(scripts / "lab.cjs"),
                     leak, state, *more])


def node(leak: str, state: str, *more: str) -> list[Json]:
    return lab(SCRIPTS, leak, state, *more)


def after_collections(lines: list[Json]) -> list[int]:
    return [one["inUse"] for one in lines if one.get("at") == "collection"]


def compare(prefix: Path) -> list[Json]:
    done = start([PLUMB_HEAP, "diff", "--json", "--top", "100000",
                  f"{prefix}-before.heapsnapshot",
                  f"{prefix}-after.heapsnapshot"])
    assert done.returncode == 0, done.stderr
    rows: list[Json] = json.loads(done.stdout)
    return rows


def test_the_lab_has_these_leaks() -> None:
    """And they name these culprits."""
    listed = dict(line.split() for line in
                  start([LAB, "--list"]).stdout.splitlines())
    assert listed == LEAKS


@each_leak
def test_leak_grows_and_its_cure_does_not(leak: str) -> None:
    """To the byte, where nobody else allocates: the same rounds."""
    leaks, cured = ref(leak, "leaks"), ref(leak, "cured")
    grown, steady = after_collections(leaks), after_collections(cured)
    assert len(grown) == len(steady) == 10
    least = 200 * 1024  # bytes a round
    assert all(b - a >= least for a, b in zip(grown, grown[1:])), grown
    assert max(steady) - min(steady) < 4096, steady
    assert leaks[-1]["verdict"] == "leak" and leaks[-1]["leaks"] == 2
    assert cured[-1]["verdict"] == "steady" and cured[-1]["memwatch"] == 0
    told = [one for one in leaks if one["kind"] == "leak"]
    assert [one["round"] for one in told] == [4, 9]
    assert told[0]["growth"] == grown[4] - grown[0]


@each_leak
@needs_node
def test_node_does_the_same_work_with_the_same_verdict(leak: str) -> None:
    """The twin in JavaScript keeps as many things after as many turns."""
    for state, verdict in (("leaks", "leak"), ("cured", "steady")):
        words = [*JUDGED, TURNS[leak]]
        ours, theirs = ref(leak, state, *words), node(leak, state, *words)
        assert theirs[-1]["verdict"] == verdict, theirs[-1]
        assert theirs[-1]["seenBy"] == "entries"
        for key in ("kept", "done", "refused", "late", "read"):
            assert ours[-1].get(key) == theirs[-1].get(key), key
        turns = [[one["turn"] for one in lines if one["kind"] == "sample"]
                 for lines in (ours, theirs)]
        assert turns[0] == turns[1] and len(turns[0]) == 60


# What a cure consists of, in its script.
CURES = {
    "cache": ("this.entries.size > this.most", "false"),
    "queue": ("this.jobs.length < this.most", "true"),
    "closure": ("previous = null", "void 0"),
    "exports": ("results.take().length", "0"),
    "listeners": ("clock.removeListener(", "(() => 0)("),
    "rooms": ("this.members.delete(name)", "void 0"),
    "slices": ("if (cured) first.copy(bytes, n % RING);\n      else ", ""),
}


@each_leak
@needs_node
def test_a_cure_that_is_none_is_told(leak: str, tmp_path: Path) -> None:
    """Without the line that makes it one, the lab calls it a leak."""
    scripts = tmp_path / "js"
    shutil.copytree(SCRIPTS, scripts)
    script = scripts / f"{leak}.cjs"
    cure, nothing = CURES[leak]
    text = script.read_text()
    assert text.count(cure) == 1
    text = text.replace(cure, nothing)
    if leak == "queue":  # which has two, either of which would do
        text = text.replace("> this.patience", "> Infinity")
    script.write_text(text)
    # An empty room is small.
    turns = "3000" if leak == "rooms" else TURNS[leak]
    assert lab(scripts, leak, "cured", *JUDGED, turns)[-1]["verdict"] == "leak"


def test_listeners_that_stay_are_warned_of_by_node() -> None:
    """More than ten: what Node itself says of this leak."""
    if NODE is None:
        pytest.skip("no node in PATH")
    words = ["--rounds", "1", "--turns", "20", "--warm", "1"]
    assert node("listeners", "leaks", *words)[-1]["warned"] == 1
    assert node("listeners", "cured", *words)[-1]["warned"] == 0


@each_leak
def test_comparison_names_the_culprit(leak: str, tmp_path: Path) -> None:
    """Before and after five rounds of a hundred turns."""
    prefix = tmp_path / "s"
    ref(leak, "leaks", "--rounds", "5", "--turns", "100",
        "--snapshots", str(prefix))
    row, = [row for row in compare(prefix) if row["culprit"]]
    assert row["constructor"] == LEAKS[leak]
    per_turn = 2 if leak == "queue" else 1
    assert row["added"] - row["removed"] == per_turn * 500
    assert any(step["name"] == LEAKS[leak] for step in row["path"])


@each_leak
def test_comparison_of_the_cure_has_nothing_that_grew(
    leak: str, tmp_path: Path
) -> None:
    """No constructor has more than a few more than before."""
    prefix = tmp_path / "s"
    ref(leak, "cured", "--rounds", "5", "--turns", "100",
        "--snapshots", str(prefix))
    assert all(row["added"] - row["removed"] <= 2 for row in compare(prefix))


@pytest.mark.parametrize("leak", ["closure", "slices"])
@needs_node
def test_comparison_names_the_culprit_in_node(
    leak: str, tmp_path: Path
) -> None:
    """From Node's own snapshots."""
    prefix = tmp_path / "s"
    node(leak, "leaks", "--rounds", "5", "--turns", "100", "--warm", "2",
         "--snapshots", str(prefix))
    rows = compare(prefix)
    assert [r["constructor"] for r in rows if r["culprit"]] == [LEAKS[leak]]


@both_states
def test_four_collections_prove_nothing(state: str) -> None:
    """The rule needs five in a row."""
    assert ref("queue", state, "--rounds", "4")[-1]["verdict"] == \
        "inconclusive"
    assert ref("queue", state, "--rounds", "5")[-1]["verdict"] != \
        "inconclusive"


def test_grain_hides_growth_of_less() -> None:
    """The rule to the letter sees it still."""
    end = ref("exports", "leaks", "--grain", "900000")[-1]
    assert end["verdict"] == "steady" and end["memwatch"] == 2


def test_a_full_ring_of_slices_does_not_grow_any_more() -> None:
    """64 MiB of packets, where 4 KiB of bytes were meant."""
    found = after_collections(
        ref("slices", "leaks", "--rounds", "25", "--turns", "200"))
    assert found[-1] - found[-2] < 4096
    assert found[-1] >= 4096 * 16384


@each_leak
def test_a_heap_that_is_too_small_is_told(leak: str) -> None:
    """The leak ends as leaks end, and in order; the cure lives on."""
    if leak == "slices":
        pytest.skip("its bytes are not in the heap")
    done = start([LAB, leak, "leaks", "--old-max", "1", "--rounds", "60",
                  "--turns", "400"])
    assert done.returncode == 1 and "out of memory" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["verdict"] == \
        "out-of-memory"
    assert ref(leak, "cured", "--old-max", "1", "--rounds", "60", "--turns",
               "400")[-1]["verdict"] == "steady"


@each_leak
def test_memory_that_ends_at_any_request_ends_the_run(leak: str) -> None:
    """With a status, a last line, and nothing that is lost."""
    for state in ("leaks", "cured"):
        statuses = set()
        for n in range(1, 26):
            done = start([LAB, leak, state, "--rounds", "3", "--turns", "30",
                          "--fail", str(n)])
            statuses.add(done.returncode)
            assert done.returncode in (0, 1), done.stderr
            last = json.loads(done.stdout.splitlines()[-1])
            assert last["kind"] == "end"
            assert (last["verdict"] == "out-of-memory") == \
                (done.returncode == 1)
        assert 1 in statuses


@each_leak
@both_states
def test_every_invariant_holds_while_it_runs(leak: str, state: str) -> None:
    """Collections at every third allocation, each of them verified."""
    ref(leak, state, "--rounds", "1", "--turns", "25", "--stress", "3",
        "--verify", "1")


@pytest.mark.parametrize("words", [
    [], ["cache"], ["nothing", "leaks"], ["cache", "heals"],
    ["cache", "leaks", "--rounds"], ["cache", "leaks", "--rounds", "x"],
    ["cache", "leaks", "--rounds", "-1"], ["cache", "leaks", "--what", "1"],
    ["cache", "leaks", "--turns", "99999999999999999999"],
])
def test_wrong_words_are_refused(words: list[str]) -> None:
    """With what would be right."""
    done = start([LAB, *words])
    assert done.returncode == 2 and "usage:" in done.stderr
    assert done.stdout == ""


def test_a_snapshot_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """And nothing goes on as if it had been."""
    done = start([LAB, "cache", "leaks", "--snapshots",
                  str(tmp_path / "nowhere" / "s")])
    assert done.returncode == 2
    assert "no such file" in done.stderr


@needs_node
def test_the_detector_of_the_scripts_is_memwatch_s() -> None:
    """HEAP-LEAK-6 to -8, as the reference's."""
    program = """
      const {Detector} = require(process.argv[1]);
      const tell = (grain, list) => {
        const d = new Detector(grain);
        list.forEach((used) => d.collected(used));
        return [d.verdict, d.leaks.map((l) => [l.collection, l.growth])];
      };
      console.log(JSON.stringify([
        tell(0, [1, 2, 3, 4]),
        tell(0, [1, 2, 3, 4, 5]),
        tell(0, [1, 2, 3, 4, 4, 5, 6, 7, 8, 9]),
        tell(0, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        tell(10, [10, 19, 28, 37, 46, 55]),
        tell(10, [10, 20, 30, 40, 50]),
      ]));"""
    assert NODE is not None
    done = start([NODE, "-e", program, str(SCRIPTS / "detector.cjs")])
    assert json.loads(done.stdout) == [
        ["inconclusive", []],
        ["leak", [[5, 4]]],
        ["leak", [[10, 5]]],
        ["leak", [[5, 40], [10, 50]]],
        ["steady", []],
        ["leak", [[5, 40]]],
    ]
