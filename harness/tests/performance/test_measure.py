# SPDX-License-Identifier: MIT
"""Processes, plans, rounds, adapters and the file that they end in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import Library, bench, library

from plumbline.errors import MeasurementError, UsageError
from plumbline.measure import (
    Amount,
    Contender,
    Rounds,
    Watch,
    calibrate,
    fingerprint,
    list_benchmarks,
    measure_rounds,
    merge,
    read_document,
    run_planned,
    spread,
    write_document,
)
from plumbline.measure import _adapter
from plumbline.measure._adapter import bench_adapter, workload_of
from plumbline.measure._rounds import run_surviving
from plumbline.registry import Target

TIMES = {"a/n:1": 100.0, "a/n:10": 50.0, "b": 7.0}


def _quiet(name: str = "") -> Any:
    return lambda done, total: None


def _plan(*names: str) -> dict[str, str]:
    return {name: f"{name}/impl:ref 5 2" for name in names}


def test_a_record_has_times_of_one_operation(
    bench: Path, library: Library
) -> None:
    """Of each sample, with the waste that was asked for."""
    ref = library("ref", TIMES, counters={"b": {"syscalls": 2}})
    found = run_planned(bench, [ref], list(_plan("b", "a/n:1").values()),
                        extra=50)
    assert [r.name for r in found.records] == ["b", "a/n:1"]
    assert found.records[0].cpu == (10.5,) * 5
    assert found.records[0].counters == {"syscalls": 2}
    assert found.crash is None


def test_a_crash_is_named_and_costs_nobody_else(
    bench: Path, library: Library
) -> None:
    """What ran before and what comes after is measured."""
    ref = library("ref", TIMES, crash={"a/n:10": 1})
    records, crashes = run_surviving(bench, ref, _plan(*TIMES), "ref")
    assert [r.name for r in records] == ["a/n:1", "b"]
    assert [str(c) for c in crashes] == [
        "a/n:10 on ref ended its process by SIGSEGV"]


def test_a_process_without_an_end_is_ended(
    bench: Path, library: Library, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what it was doing is named. Its time is what it has after it has
    begun, however long a busy machine needs to start it."""
    class Begun(subprocess.Popen[str]):
        def wait(self, timeout: float | None = None) -> int:
            assert isinstance(self.args, list)
            raw = Path(self.args[self.args.index("--raw") + 1])
            end = time.monotonic() + 120
            while timeout is not None and time.monotonic() < end and not (
                    raw.exists() and raw.read_text().endswith("\n")):
                time.sleep(0.01)
            return super().wait(timeout)

    monkeypatch.setattr("plumbline.measure._process.subprocess.Popen", Begun)
    hung = tmp_path / "hung"
    hung.write_text("#!/bin/sh\nfor w; do case $last in --raw) "
                    "echo '{\"begin\":\"b/impl:ref\"}' >$w;; esac; last=$w; "
                    "done\nexec sleep 60\n")
    hung.chmod(0o755)
    found = run_planned(hung, [library("ref", TIMES)], ["b/impl:ref 1 1"],
                        limit=0.1)
    assert found.crash and "did not end within" in found.crash.how
    assert found.crash.name == "b"


def test_a_refused_plan_says_why(bench: Path, library: Library) -> None:
    """In the words of the program."""
    with pytest.raises(MeasurementError, match="no such symbol"):
        run_planned(bench, [library("ref", {}, refuse="no such symbol")],
                    ["b/impl:ref 1 1"])


def test_a_clock_that_goes_backwards_is_no_time(
    bench: Path, library: Library
) -> None:
    """Named, and never a number."""
    with pytest.raises(MeasurementError, match="clock went backwards") as why:
        run_planned(bench, [library("ref", TIMES, negative=["b"])],
                    ["b/impl:ref 1 1"])
    assert why.value.status == 5
    assert "b/impl:ref" in str(why.value)


def test_benchmarks_are_selected_by_name(
    bench: Path, library: Library
) -> None:
    """Nothing selected is a mistake of the command line."""
    ref = library("ref", TIMES)
    assert list_benchmarks(bench, [ref], "^a/") == {
        "ref": ["a/n:1", "a/n:10"]}
    with pytest.raises(UsageError, match="no benchmark matches 'x'"):
        list_benchmarks(bench, [ref], "x")
    with pytest.raises(UsageError, match="regular expression"):
        list_benchmarks(bench, [ref], "(")


def test_a_plan_takes_about_as_long_as_wanted(
    bench: Path, library: Library
) -> None:
    """What fails or dies while it is tried is told, not planned."""
    ref = library("ref", TIMES, crash={"a/n:1": 1}, error={"b": "wrong sum"})
    plan, refused = calibrate(bench, ref, "ref", list(TIMES), _quiet(),
                              target=0.001)
    assert [p.name for p in plan] == ["a/n:10"]
    assert plan[0].batches == 2000  # 1 ms of batches of 10 times 50 ns
    assert plan[0].line("ref") == "a/n:10/impl:ref 5 2000"
    assert [r.name for r in refused] == ["a/n:1", "b"]


def _contender(path: Path, label: str = "ref") -> Contender:
    return Contender(label, Target(label, "", provider=path), list(TIMES),
                     "ref")


def test_rounds_keep_what_was_measured_before_a_crash(
    bench: Path, library: Library
) -> None:
    """A benchmark that dies in the third round has two times, and is left
    out from then on."""
    ref = library("ref", TIMES, crash={"b": 4})  # the first was the trial
    out = measure_rounds(bench, [_contender(ref)], Amount(rounds=5,
                         target=1e-6), _quiet, Rounds())
    table = {s.name: s for s in merge(out.rounds)}
    assert {n: len(s.cpu) for n, s in table.items()} == {
        "a/n:1": 5, "a/n:10": 5, "b": 2}
    assert [c.name for c in out.problems] == ["b"]


def test_a_failed_check_has_an_error_and_no_time(
    bench: Path, library: Library, tmp_path: Path
) -> None:
    """In the file, too."""
    ref = library("ref", TIMES, error={"b": "wrong sum"})
    out = measure_rounds(bench, [_contender(ref)], Amount(rounds=2,
                         target=1e-6), _quiet, Rounds())
    path = write_document(tmp_path / "o/b.json", merge(out.rounds), {},
                          Watch.begin().end(), "plumbline bench")
    found = read_document(path).series["b/impl:ref"]
    assert (found.error, found.cpu) == ("wrong sum", ())


def test_two_builds_of_one_provider_stand_side_by_side(
    bench: Path, library: Library
) -> None:
    """Under the names that they were given."""
    old, new = library("old", TIMES, impl="ref"), library(
        "new", {k: 2 * v for k, v in TIMES.items()}, impl="ref")
    out = measure_rounds(
        bench, [_contender(old), _contender(new, "ref#2")],
        Amount(rounds=1, target=1e-6), _quiet, Rounds())
    times = {s.full_name: s.cpu for s in merge(out.rounds)}
    assert times["b/impl:ref"] == (7.0,)
    assert times["b/impl:ref#2"] == (14.0,)


def test_the_spread_is_of_one_round_and_the_next(
    bench: Path, library: Library
) -> None:
    """Equal times have none; one round says nothing."""
    out = measure_rounds(bench, [_contender(library("ref", TIMES))],
                         Amount(rounds=3, target=1e-6), _quiet, Rounds())
    assert spread(out.rounds, ["ref"]) == pytest.approx(0, abs=0.01)
    assert spread(out.rounds[:1], ["ref"]) is None
    assert spread(out.rounds, ["other"]) is None


# -- files ------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_written(
    bench: Path, library: Library, tmp_path: Path
) -> None:
    """Times, counters, raw samples, pauses, machine and noise."""
    pauses = [{"clock": "wall", "span": 1000, "list": [[10, 5], [50, 70]]}]
    ref = library("ref", TIMES, pauses={"b": pauses},
                  counters={"b": {"moved": 3}})
    out = measure_rounds(bench, [_contender(ref)], Amount(rounds=3,
                         target=1e-6), _quiet, Rounds())
    path = write_document(tmp_path / "b.json", merge(out.rounds),
                          {"suite_version": "1"}, Watch.begin().end(0.02),
                          "plumbline bench")
    again = read_document(path)
    one = again.series["b/impl:ref"]
    assert again.ours and again.spread == 0.02
    assert len(one.cpu) == 3 and set(one.cpu) == {7.0}
    assert one.counters == {"moved": 3}
    assert len(one.raw) == 3 and len(one.raw[0]) == 5
    assert one.pauses[0].list == ((10, 5), (50, 70))
    assert one.histograms["wall"].total == 6
    assert fingerprint(again.machine) == json.loads(path.read_text())[
        "plumbline"]["fingerprint"]


BROKEN = [
    ("", 5, "truncated"),
    ('{"context": {}, "benchmarks": [{"name": "a"', 5, "truncated"),
    ("[1, 2]", 5, "no google-benchmark file"),
    ('{"benchmarks": []}', 5, "nothing in it"),
    ('{"benchmarks": [{"name": "a", "run_type": "aggregate"}]}', 5,
     "but aggregates"),
    ('{"benchmarks": [{"name": "a", "cpu_time": 1}]}', 5, "real_time"),
    ('{"benchmarks": [{"name": "a", "cpu_time": -1, "real_time": 1}]}', 5,
     "clock went backwards"),
    ('{"benchmarks": [{"name": "a", "cpu_time": NaN, "real_time": 1}]}', 5,
     "no number"),
    ('{"benchmarks": [{"name": "a", "cpu_time": 1, "real_time": 1, '
     '"time_unit": "days"}]}', 5, "days"),
]


@pytest.mark.parametrize("text, status, why", BROKEN)
def test_a_broken_file_is_refused_by_name(
    tmp_path: Path, text: str, status: int, why: str
) -> None:
    """With the status of what is no measurement."""
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(MeasurementError, match=why) as error:
        read_document(path)
    assert error.value.status == status
    assert "broken.json" in str(error.value)


def test_a_missing_file_is_a_mistake_of_the_command_line(
    tmp_path: Path
) -> None:
    """Status 2."""
    with pytest.raises(UsageError, match="No such file") as error:
        read_document(tmp_path / "none.json")
    assert error.value.status == 2


def test_units_of_foreign_files_are_understood(tmp_path: Path) -> None:
    """Everything is nanoseconds."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"benchmarks": [
        {"name": f"B/{unit}", "run_type": "iteration", "real_time": 2,
         "cpu_time": 1, "time_unit": unit} for unit in ("us", "ms", "s")]}))
    series = read_document(path).series
    assert [s.cpu[0] for s in series.values()] == [1e3, 1e6, 1e9]
    assert not read_document(path).ours


def test_noise_is_read_from_the_kernel_s_files(tmp_path: Path) -> None:
    """Steal, pressure and load of a stretch; without them, nothing."""
    def write(uptime: int, steal: int, idle: int, stalled: int) -> None:
        (tmp_path / "uptime").write_text(f"{uptime} 0\n")
        (tmp_path / "stat").write_text(f"cpu 0 0 0 {idle} 0 0 0 {steal} 0\n")
        (tmp_path / "loadavg").write_text("1.50 1 1 1/1 1\n")
        (tmp_path / "pressure").mkdir(exist_ok=True)
        (tmp_path / "pressure/cpu").write_text(
            f"some avg10=0 avg60=0 avg300=0 total={stalled}\n")

    write(10, 5, 100, 1_000_000)
    watch = Watch.begin(tmp_path)
    write(20, 15, 190, 3_000_000)
    noise = watch.end()
    assert (noise.seconds, noise.steal, noise.pressure, noise.load) == (
        10, 0.1, 0.2, 1.5)
    assert "steal 10.0%" in str(noise)
    empty = Watch.begin(tmp_path / "nothing").end()
    assert (empty.steal, empty.pressure, empty.load) == (None, None, None)


# -- adapters ---------------------------------------------------------------

ADAPTER = """\
import json, sys, time
for line in sys.stdin:
    m = json.loads(line)
    if m["cmd"] == "start":
        print(json.dumps({"protocol": 1, "implementation": {}}), flush=True)
        continue
    if m["cmd"] != "bench": continue
    w, seq = m["workload"], m["seq"]
    if w == "dies": sys.exit(3)
    if w == "chatters": print("hello", flush=True); continue
    if w == "hangs": time.sleep(60)
    if w == "unknown": a = {"unsupported": "no"}
    elif w == "fails": a = {"error": {"message": "lost one"}}
    elif w == "backwards": a = {"samples_ns": [-1], "items_per_sample": 1}
    elif w == "empty": a = {"samples_ns": [], "items_per_sample": 1}
    elif w == "stops": a = {"samples_ns": [9], "items_per_sample": 1,
        "pauses": [{"clock": "wall", "span": m["params"]["n"],
                    "list": [[1, 2], [5, 4]]}]}
    else: a = {"samples_ns": [2000, 1000 * m["params"].get("n", 1)],
               "samples_cpu_ns": [500, 400], "items_per_sample": 10}
    if w == "other": seq += 1
    print(json.dumps({"seq": seq, **a}), flush=True)
"""


def test_an_adapter_s_faults_cost_one_benchmark_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Death, chatter, silence, nonsense: named; the rest is measured."""
    ask = _adapter._Session.ask

    def impatient(
        session: _adapter._Session, message: dict[str, Any], limit: float
    ) -> dict[str, Any]:
        """Only who hangs is given up soon."""
        return ask(session, message,
                   0.1 if message.get("workload") == "hangs" else limit)

    monkeypatch.setattr(_adapter._Session, "ask", impatient)
    path = tmp_path / "adapter.py"
    path.write_text(ADAPTER)
    target = Target("js", "", command=(sys.executable, str(path)))
    names = ["loop/x/n:3", "dies", "chatters", "hangs", "unknown", "fails",
             "backwards", "empty", "other", "last"]
    records, crashes = bench_adapter(
        target, "js-1", {name: 2 for name in names}, 10, _quiet())
    assert {r.name: (r.cpu, r.real, r.error) for r in records} == {
        "loop/x/n:3": ((50.0, 40.0), (200.0, 300.0), None),
        "fails": ((), (), "lost one"),
        "last": ((50.0, 40.0), (200.0, 100.0), None),
    }
    assert [(c.name, c.how) for c in crashes] == [
        ("dies", "ended with status 3"),
        ("chatters", "said what is no JSON: b'hello'"),
        ("hangs", "did not answer in time"),
        ("backwards", "has a clock that went backwards"),
        ("empty", "measured nothing"),
        ("other", "answered another question"),
    ]


def test_an_adapter_s_pauses_are_of_its_own_time(tmp_path: Path) -> None:
    """What lies beyond the span was not measured."""
    path = tmp_path / "adapter.py"
    path.write_text(ADAPTER)
    target = Target("js", "", command=(sys.executable, str(path)))
    records, crashes = bench_adapter(
        target, "js", {"stops/n:9": 1, "stops/n:8": 1}, 10, _quiet())
    record, = records
    pauses, = record.pauses
    assert (pauses.clock, pauses.span) == ("wall", 9)
    assert pauses.list == ((1, 2), (5, 4))
    assert [(c.name, c.how) for c in crashes] == [
        ("stops/n:8", "tells pauses of another time than its own")]


def test_an_adapter_that_does_not_start_is_no_measurement(
    tmp_path: Path
) -> None:
    """Named by its command."""
    target = Target("js", "", command=(sys.executable, "-c", "pass"))
    with pytest.raises(MeasurementError, match="the adapter"):
        bench_adapter(target, "js", {"a": 1}, 10, _quiet())


def test_a_name_is_a_workload_and_its_parameters() -> None:
    """Whatever part of the path has them."""
    assert workload_of("loop/timers/arm/n:1000") == (
        "loop/timers/arm", {"n": 1000})
    assert workload_of("loop/queues/tick") == ("loop/queues/tick", {})
    assert workload_of("heap/scavenge/survivors:50%/semi:16M") == (
        "heap/scavenge", {"survivors": 50, "semi": 16 << 20})
