# SPDX-License-Identifier: MIT
"""explain-latency: holds of made-up and of real profiles, and bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plumbline.cpuprofile import read_profile
from plumbline.errors import ProfileError
from plumbline.latency import Latency, analyse

HARNESS = Path(__file__).parents[1]
NODE = shutil.which("node")
Json = dict[str, Any]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

# id: (name, url, line from 0, children)
Tree = dict[int, tuple[str, str, int, list[int]]]
V8_TREE: Tree = {
    1: ("(root)", "", -1, [2, 3, 4, 5, 9]),
    2: ("(program)", "", -1, []),
    3: ("(idle)", "", -1, []),
    4: ("(garbage collector)", "", -1, []),
    5: ("processTimers", "node:internal/timers", 500, [6, 8]),
    6: ("sleep", "file:///app/a%20b.js", 9, [7]),
    7: ("readSync", "node:fs", 700, []),
    8: ("", "file:///app/b.js", 0, []),
    9: ("processTicksAndRejections", "node:internal/process/task_queues",
        60, []),
}
OURS_TREE: Tree = {
    1: ("(root)", "", -1, [2, 3, 4, 5]),
    2: ("(program)", "", -1, []),
    3: ("(idle)", "", -1, []),
    4: ("(event loop)", "", -1, []),
    5: ("timers phase", "", -1, [6, 8]),
    6: ("sleep", "a.c", 6, [7]),
    7: ("tick", "", -1, []),
    8: ("beat", "b.c", 0, []),
}


def profile(tree: Tree, samples: list[tuple[int, int]],
            **more: Any) -> Json:
    """A profile of (node, milliseconds) pairs."""
    ends = [0, *(length * 1000 for _, length in samples)]
    return {
        "nodes": [
            {
                "id": number,
                "callFrame": {"functionName": name, "scriptId": "0",
                              "url": url, "lineNumber": line,
                              "columnNumber": 0},
                "hitCount": 0, "children": children,
            }
            for number, (name, url, line, children) in tree.items()
        ],
        "startTime": 5_000_000,
        "endTime": 5_000_000 + sum(ends),
        "samples": [node for node, _ in samples],
        "timeDeltas": ends[:-1],
        **more,
    }


def ours(samples: list[tuple[int, int]], timers: list[list[int]],
         dropped: int = 0) -> Json:
    return profile(OURS_TREE, samples, plumb={
        "format": 1, "recorded": 9, "dropped": dropped,
        "kinds": {"6": "timeout", "7": "tick", "8": "timer"},
        "timers": timers,
    })


@pytest.fixture()
def read(tmp_path: Path) -> Callable[[Json], Latency]:
    def reader(data: Json) -> Latency:
        file = tmp_path / "p.cpuprofile"
        file.write_text(json.dumps(data))
        return analyse(read_profile(file))

    return reader


@pytest.fixture()
def cli(tmp_path: Path) -> Cli:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "plumbline.cli", "explain-latency", *words],
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=300,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(HARNESS),
                 "HOME": str(tmp_path), "LANG": "C.UTF-8",
                 "TMPDIR": str(tmp_path)},
        )

    return run


def told(latency: Latency) -> list[tuple[str, float, float]]:
    return [(h.entry.name, h.start / 1000, h.duration / 1000)
            for h in latency.holds]


Read = Callable[[Json], Latency]


def test_samples_of_one_entry_are_one_hold(read: Read) -> None:
    """Whatever the entry calls, and the collector, belong to the hold."""
    latency = read(profile(V8_TREE, [
        (3, 10), (6, 5), (7, 20), (4, 3), (6, 2), (3, 10)]))
    assert told(latency) == [("sleep", 10, 30)]
    node, part = latency.hottest(latency.holds[0])
    assert (node.name, round(part, 2)) == ("readSync", 0.67)
    assert (latency.held, latency.waited) == (30_000, 20_000)


def test_another_entry_and_waiting_end_a_hold(read: Read) -> None:
    """Two callbacks in a row are two holds, also below one runtime frame."""
    latency = read(profile(V8_TREE, [
        (6, 5), (8, 7), (3, 1), (8, 2), (3, 1)]))
    assert told(latency) == [("(anonymous)", 5, 7), ("sleep", 0, 5),
                             ("(anonymous)", 13, 2)]


def test_a_stray_program_sample_does_not_cut_a_hold(read: Read) -> None:
    """One short (program) within a callback is the profiler's; a long one,
    or one between two callbacks, is the loop's."""
    around = [(3, 1)] * 3
    short = read(profile(V8_TREE, [*around, (6, 1), (2, 1), (6, 1), *around]))
    assert told(short) == [("sleep", 3, 3)]
    long = read(profile(V8_TREE, [*around, (6, 1), (2, 90), (6, 1), *around]))
    assert [length for _, _, length in told(long)] == [1, 1]
    between = read(profile(V8_TREE, [*around, (6, 1), (2, 1), (8, 1)]))
    assert [length for _, _, length in told(between)] == [1, 1]


def test_work_of_the_runtime_alone_is_named_by_its_first_frame(
    read: Read
) -> None:
    """No user's function is invented where there is none."""
    latency = read(profile(V8_TREE, [(3, 5), (9, 15), (5, 2)]))
    assert told(latency) == [("processTicksAndRejections", 5, 15),
                             ("processTimers", 20, 2)]


def test_gaps_without_samples_are_waiting_where_nothing_says_idle(
    read: Read
) -> None:
    """Bun takes no samples while it waits."""
    tree: Tree = {1: ("(root)", "", -1, [2]),
                  2: ("work", "file:///w.js", 0, [])}
    latency = read(profile(
        tree, [(2, 1), (2, 1), (2, 300), (2, 1), (2, 1)]))
    assert [length for _, _, length in told(latency)] == [3, 2]
    assert latency.waited == 299_000


def test_samples_with_negative_deltas_are_put_in_order(read: Read) -> None:
    """V8 writes such; no stretch is negative."""
    data = profile(V8_TREE, [(3, 10), (6, 10), (6, 10), (3, 10)])
    data["timeDeltas"] = [0, 10_000, 15_000, -5_000]
    assert told(read(data)) == [("sleep", 25, 15), ("sleep", 10, 10)]


def test_each_call_of_our_profiles_is_a_hold_with_its_ticks(
    read: Read
) -> None:
    """Two calls of one function without time in between are two."""
    latency = read(ours([(2, 0), (6, 10), (7, 5), (6, 0), (4, 0), (6, 8),
                         (4, 0), (3, 20), (2, 0)], []))
    assert told(latency) == [("sleep", 0, 15), ("sleep", 15, 8)]
    assert latency.holds[0].phase == "timers phase"
    assert latency.waited == 20_000


def test_a_late_timer_is_traced_to_what_held_the_loop(read: Read) -> None:
    """By what took the most of the time between due and fired."""
    latency = read(ours(
        [(2, 0), (3, 10), (6, 30), (4, 1), (8, 0), (3, 20), (8, 0), (2, 0)],
        [[6, 5_010_000, 100], [8, 5_041_000, 21_000], [8, 5_061_000, 0]]))
    beat, sleep = latency.timers
    assert (beat.culprit.name, beat.fired, beat.worst) == ("beat", 2, 21_000)
    assert beat.median == 10_500
    assert beat.held_by is latency.holds[0]
    assert (sleep.culprit.name, sleep.held_by) == ("sleep", None)
    victims = latency.victims(latency.holds[0])
    assert [(who.name, late) for who, late in victims] == [("beat", 21_000)]


def test_one_screen_names_when_how_long_what_where_and_whom(
    cli: Cli, tmp_path: Path
) -> None:
    """The table of a profile of ours."""
    file = tmp_path / "p.cpuprofile"
    file.write_text(json.dumps(ours(
        [(2, 0), (3, 10), (6, 30), (4, 0), (8, 0), (3, 20), (2, 0)],
        [[8, 5_040_000, 20_000]], dropped=1234)))
    done = cli(file)
    assert (done.returncode, done.stderr) == (0, "")
    words = " ".join(done.stdout.split())
    assert "60.0 ms recorded by Plumbline, 50% in callbacks" in words
    assert "the oldest 1,234 records were dropped" in words
    assert "10.0 ms 30.0 ms 50% sleep (timeout) a.c:7" in words
    assert "made late: beat by 20.0 ms" in words
    assert "1 20.0 ms 20.0 ms beat sleep (timeout)" in words
    assert len(done.stdout.splitlines()) < 24


def test_a_thousand_holds_still_fit_on_one_screen(
    cli: Cli, tmp_path: Path
) -> None:
    """The longest ones, and how many more there are."""
    file = tmp_path / "p.cpuprofile"
    file.write_text(json.dumps(profile(V8_TREE, [(6, 20), (3, 1)] * 1000)))
    done = cli(file)
    assert done.returncode == 0
    assert "… and 990 more" in done.stdout
    assert "file:///" not in done.stdout
    assert "/app/a b.js:10" in done.stdout
    assert len(done.stdout.splitlines()) < 40
    assert len(json.loads(cli(file, "--json").stdout)["holds"]) == 1000


def test_the_threshold_decides_what_is_a_hold(
    cli: Cli, tmp_path: Path
) -> None:
    """Below it the longest one is named and nothing is accused."""
    file = tmp_path / "p.cpuprofile"
    file.write_text(json.dumps(profile(V8_TREE, [(3, 9), (6, 20), (3, 9)])))
    done = cli(file, "--threshold", "20.5")
    assert done.returncode == 0
    assert "nothing held the loop for 20.5 ms; the longest was sleep with " \
        "20.0 ms" in done.stdout
    assert cli(file, "--threshold", "20").stdout.count("sleep") == 1
    assert cli(file, "--threshold", "-1").returncode == 2


def test_a_profile_without_callbacks_is_no_error(
    cli: Cli, tmp_path: Path
) -> None:
    """An idle process held nothing."""
    file = tmp_path / "p.cpuprofile"
    every: list[list[tuple[int, int]]] = [[(3, 9)], []]
    for samples in every:
        file.write_text(json.dumps(profile(V8_TREE, samples)))
        done = cli(file)
        assert (done.returncode, done.stderr) == (0, "")
        assert "no callback was seen" in done.stdout


# -- real runtimes ---

_SCRIPT = """\
'use strict';
function sleep(ms) {
  const end = Date.now() + ms;
  let turns = 0;
  while (Date.now() < end) for (let i = 0; i < 1e5; i++) turns ^= i;
  return turns;
}
setTimeout(function request() {
  sleep(300);
}, 30);
setTimeout(() => {}, 400);
"""


@pytest.mark.skipif(NODE is None, reason="node is not here")
def test_the_busy_wait_of_a_real_node_is_found(
    cli: Cli, tmp_path: Path
) -> None:
    """node --cpu-prof, read back: the function, its line, and the time. The
    wait is JavaScript alone, which a sample finds on the stack wherever it is
    taken; the sampler of a busy machine may miss some of it."""
    assert NODE is not None
    (tmp_path / "app.js").write_text(_SCRIPT)
    subprocess.run([NODE, "--cpu-prof", "--cpu-prof-name=n.cpuprofile",
                    "app.js"], cwd=tmp_path, check=True, timeout=300)
    done = cli("n.cpuprofile", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    latency = json.loads(done.stdout)
    assert not latency["exact"]
    holds = [h for h in latency["holds"] if h["function"] == "request"]
    worst = holds[0]
    assert worst["url"] == (tmp_path / "app.js").as_uri()
    assert worst["line"] == 8
    assert 60 <= sum(h["held"] for h in holds) <= latency["duration"]
    assert worst["hottest"]["function"] in ("sleep", "request")
    shown = cli("n.cpuprofile").stdout
    assert "request  app.js:8" in shown


# -- bad input ---


def _without(key: str) -> Json:
    data = profile(V8_TREE, [(3, 1)])
    del data[key]
    return data


def _changed(**more: Any) -> Json:
    return {**profile(V8_TREE, [(3, 1), (6, 1)]), **more}


def _node(**more: Any) -> Json:
    frame = {"functionName": "f", "url": "", "lineNumber": 0}
    return {"id": 1, "callFrame": frame, **more}


def _framed(**more: Any) -> Json:
    return _changed(nodes=[_node(callFrame={
        "functionName": "f", "url": "", "lineNumber": 0, **more})])


@pytest.mark.parametrize(("text", "complaint"), [
    (b"", "p.cpuprofile: is empty"),
    (b" \n", "p.cpuprofile: is empty"),
    (b"\xff{}", "p.cpuprofile: byte 0: is not UTF-8"),
    (b"hello", "p.cpuprofile:1:1: is not JSON"),
    (b'{"nodes":\n  [1,,2]}', "p.cpuprofile:2:6: is not JSON"),
    (b'{"nodes": [{"id": 1', "p.cpuprofile:1:20: is truncated"),
    (b'{"nodes": [{"na', "p.cpuprofile:1:13: is truncated"),
    (b"[" * 100_000, "p.cpuprofile: is nested too deeply"),
    (b'{"startTime": NaN}', "p.cpuprofile: is not JSON: NaN"),
    (b"9" * 5000, "p.cpuprofile: is not JSON"),
    (b"[]", "p.cpuprofile: is a list and not a profile"),
    (b'{"head": {}}', "p.cpuprofile: head: is the tree of a profile from"),
    (b'{"traceEvents": []}', "traceEvents: is a trace and not a profile"),
    (_without("nodes"), "p.cpuprofile: has no member 'nodes'"),
    (_without("samples"), "p.cpuprofile: has no member 'samples'"),
    (_without("timeDeltas"), "p.cpuprofile: has no member 'timeDeltas'"),
    (_without("endTime"), "p.cpuprofile: has no member 'endTime'"),
    (_changed(nodes={}), "nodes: is an object and not a list"),
    (_changed(nodes=[]), "nodes: is empty"),
    (_changed(nodes=[7]), "nodes[0]: is a number and not an object"),
    (_changed(nodes=[_node(), _node()]), "nodes[1].id: is 1 a second time"),
    (_changed(nodes=[_node(children=[9])]),
     "nodes[0].children[0]: is 9, and there is no such node"),
    (_changed(nodes=[_node(children=[1])]), "nodes: node 1 is below itself"),
    (_changed(nodes=[_node(children=[2, 2]), _node(id=2)]),
     "nodes[0].children[1]: is 2, which has a parent already"),
    (_changed(nodes=[_node(parent=5)]),
     "nodes[0].parent: is 5, and there is no such node"),
    (_changed(nodes=[{"id": 1}]), "nodes[0]: has no member 'callFrame'"),
    (_framed(functionName=None),
     "nodes[0].callFrame.functionName: is null and not a string"),
    (_framed(url=3), "nodes[0].callFrame.url: is a number and not a string"),
    (_framed(lineNumber="1"),
     "nodes[0].callFrame.lineNumber: is a string and not a number"),
    (_changed(endTime=4), "endTime: is before startTime"),
    (_changed(startTime="x"), "startTime: is a string and not a number"),
    (_changed(endTime=10**30), "endTime: is too large for a time"),
    (_changed(samples=[3]), "timeDeltas: has 2 entries for 1 samples"),
    (_changed(samples=[3, 99]), "samples[1]: is 99, and there is no such"),
    (_changed(samples=[3, 6.5]),
     "samples[1]: is a number and not a whole number"),
    (_changed(timeDeltas=[0, True]),
     "timeDeltas[1]: is a truth value and not a number"),
    (_changed(plumb=[]), "plumb: is a list and not an object"),
    (_changed(plumb={"format": 2}), "plumb.format: is not 1"),
    (_changed(plumb={"format": 1, "kinds": {"x": "timer"}, "dropped": 0}),
     "plumb.kinds.x: is not the number of a node"),
    (_changed(plumb={"format": 1, "kinds": {}, "dropped": 0,
                     "timers": [[6, 1]]}),
     "plumb.timers[0]: has 2 entries and not three"),
    (_changed(plumb={"format": 1, "kinds": {}, "dropped": 0,
                     "timers": [[66, 1, 1]]}),
     "plumb.timers[0][0]: is 66, and there is no such node"),
])
def test_what_is_no_profile_is_told_with_its_place(
    text: bytes | Json, complaint: str, tmp_path: Path
) -> None:
    """One error, and where in which file."""
    file = tmp_path / "p.cpuprofile"
    raw = text if isinstance(text, bytes) else json.dumps(text).encode()
    file.write_bytes(raw)
    with pytest.raises(ProfileError) as caught:
        read_profile(file)
    assert complaint in str(caught.value)
    assert str(file) in str(caught.value)


def test_every_truncation_of_a_profile_is_told(tmp_path: Path) -> None:
    """Wherever it was cut, it is an error and no shorter profile."""
    whole = json.dumps(ours([(2, 0), (6, 10), (2, 0)], [[6, 1, 1]]))
    file = tmp_path / "p.cpuprofile"
    for size in range(1, len(whole) - 1, 7):
        file.write_text(whole[:size])
        with pytest.raises(ProfileError):
            read_profile(file)


def test_errors_end_with_2_and_one_message(cli: Cli, tmp_path: Path) -> None:
    """No traceback, for a folder and for nothing at all too."""
    (tmp_path / "bad").write_text('{"nodes": [')
    for name in ("bad", "missing", "."):
        done = cli(name)
        assert (done.returncode, done.stdout) == (2, "")
        assert name in done.stderr
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr


def test_a_file_of_200_mib_is_refused_before_it_is_parsed(
    cli: Cli, tmp_path: Path
) -> None:
    """Its size and the limit are told, and memory is not exhausted."""
    file = tmp_path / "huge.cpuprofile"
    with file.open("wb") as out:
        out.truncate(200 * 2**20)
    done = cli(file)
    assert done.returncode == 2
    assert "huge.cpuprofile: has 200 MiB; profiles of up to 64 MiB are read" \
        in done.stderr


def test_a_deep_chain_of_calls_is_read_in_linear_time(read: Read) -> None:
    """Recursion of 50,000 frames is no reason to fail."""
    count = 50_000
    tree: Tree = {n: (f"f{n}", "file:///r.js", n, [n + 1] if n < count else [])
            for n in range(1, count + 1)}
    latency = read(profile(tree, [(count, 10)]))
    assert told(latency) == [("f2", 0, 10)]
