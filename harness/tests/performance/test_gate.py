# SPDX-License-Identifier: MIT
"""The gate on synthetic machines: what it calls, what it proves, what it
refuses to call."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from fakes import Library, bench, library
from rich.console import Console

from plumbline.commands.gate import time_runner
from plumbline.errors import UsageError
from plumbline.gate import (
    Arm,
    Counters,
    Gate,
    Instructions,
    TimeLane,
    accept,
    check_exact,
    count,
    count_instructions,
    gate_status,
    gate_tables,
    latencies,
    measure_time,
    read_baseline,
    read_config,
    read_gate,
    read_waivers,
    write_gate,
)
from plumbline.gate._table import markdown
from plumbline.gate.figures import summary
from plumbline.gate.layouts import spread
from plumbline.measure import Planned, Record
from plumbline.measure._process import Crash
from plumbline.places import find_places
from plumbline.stats import Pauses

NAMES = [f"loop/x/n:{n}" for n in range(6)]
PLAN = [Planned(name, 1, 1, 5, 0.01 * (n + 1))
        for n, name in enumerate(NAMES)]
TODAY = date(2026, 11, 20)


def quiet(name: str) -> Callable[[int, int | None], None]:
    return lambda done, total: None


@dataclass
class Machine:
    """Draws times: each process has its luck, and everything drifts."""

    seed: int = 1
    luck: float = 0.02
    jitter: float = 0.02
    slower: float = 0.0  # of library "here", on the benchmarks of `where`
    where: Sequence[str] = ()
    drift: float = 0.0
    crash: tuple[str, int] | None = None  # (benchmark, process of here)
    error: str | None = None
    skip: str | None = None

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.processes = 0
        self.of_here = 0

    def __call__(
        self, arm: Arm, plan: Sequence[Planned]
    ) -> tuple[list[Record], list[Crash]]:
        self.processes += 1
        here = arm.library.name == "here"
        self.of_here += here
        records, crashes = [], []
        for one in plan:
            if (here and self.crash
                    and self.crash == (one.name, self.of_here)):
                crashes.append(Crash(one.name, "ref", "ended by SIGSEGV"))
                continue
            if one.name == self.skip:
                continue
            luck = abs(self.draw.gauss(0, self.luck))
            time = 100 * (1 + luck) * (1 + arm.extra / 100)
            time *= 1 + self.drift * self.processes
            if here and one.name in self.where:
                time *= 1 + self.slower
            error = "wrong sum" if here and one.name == self.error else None
            cpu = [] if error else [
                time * (1 + abs(self.draw.gauss(0, self.jitter)))
                for _ in range(5)]
            records.append(Record(one.name, "ref", 1, 1, 1, cpu, cpu, {}, (),
                                  0, 0, error))
        return records, crashes


def run(machine: Machine, **more: Any) -> TimeLane:
    return measure_time([Path("base")], [Path("here")], PLAN, machine, quiet,
                        TimeLane(), seed=machine.seed, **more)


def gate(lane: TimeLane | None = None, **more: Any) -> Gate:
    return Gate("main", "a" * 40, "b" * 40, False, "plumbline gate main",
                {"cpu": "x"}, time=lane, complete=True, **more)


def test_equal_libraries_are_never_called_regressed() -> None:
    """On 60 machines of all kinds of noise and drift, six benchmarks each."""
    for seed in range(60):
        lane = run(Machine(seed, luck=0.01 * (seed % 7), jitter=0.03,
                           drift=0.0005 * (seed % 3)))
        assert "REGRESSED" not in {t.verdict for t in lane.timed}, seed


def test_ten_per_cent_are_found_on_a_quiet_machine() -> None:
    """In all of 20 runs; what did not change is not called slower."""
    for seed in range(20):
        lane = run(Machine(seed, slower=0.10, where=NAMES[2:3]))
        verdicts = {t.name: t.verdict for t in lane.timed}
        assert verdicts.pop(NAMES[2]) == "REGRESSED", seed
        assert "REGRESSED" not in verdicts.values()
        assert gate_status(gate(lane), False) == 3


def test_on_a_loud_machine_ten_per_cent_are_found_or_not_to_be_told() -> None:
    """And never SAME."""
    for seed in range(20):
        lane = run(Machine(seed, luck=0.25, jitter=0.25, slower=0.10,
                           where=NAMES))
        assert "SAME" not in {t.verdict for t in lane.timed}, seed


def test_a_run_proves_itself() -> None:
    """Base against base is SAME, 15% more work REGRESSED."""
    lane = run(Machine(3))
    assert lane.proof and lane.proof.null and lane.proof.canary
    assert lane.proof.null.verdict == "SAME"
    assert lane.proof.canary.verdict == "REGRESSED"
    assert lane.proof.benchmarks == tuple(NAMES[:3])
    assert gate_status(gate(lane), True) == 0


def test_a_run_that_cannot_see_15_per_cent_is_no_measurement() -> None:
    """Status 5, and it says what it did not see."""
    lane = run(Machine(4, luck=0.6, jitter=0.3))
    whole = gate(lane)
    assert gate_status(whole, False) == 5
    assert any("not REGRESSED" in fault or "not SAME" in fault
               for fault in whole.faults)


def test_arms_take_turns_within_a_block() -> None:
    """Each block is a palindrome, and the next one swaps the sides."""
    order: list[str] = []
    inner = Machine()

    def spy(arm: Arm, plan: Sequence[Planned]) -> Any:
        order.append(arm.name[0])
        return inner(arm, plan)

    measure_time([Path("base")], [Path("here")], PLAN, spy, quiet, TimeLane(),
                 stages=(2, 2))
    assert "".join(order[:16]) == "ABnccnBA" + "BAcnncAB"


def test_every_process_draws_a_layout() -> None:
    """So what a layout does is in the noise, and not in the difference."""
    drawn: set[tuple[str, str]] = set()
    inner = Machine()

    def spy(arm: Arm, plan: Sequence[Planned]) -> Any:
        drawn.add((arm.name, arm.library.name))
        return inner(arm, plan)

    measure_time([Path("b1"), Path("b2")], [Path("h1"), Path("h2")], PLAN,
                 spy, quiet, TimeLane())
    assert {(a, x) for a, x in drawn if a in "AB"} == {
        ("A", "b1"), ("A", "b2"), ("B", "h1"), ("B", "h2")}


def test_the_second_stage_measures_suspects_afresh() -> None:
    """Only they and the proofs, and the first blocks do not count."""
    lane = run(Machine(5, slower=0.2, where=NAMES[5:]))
    stages = {t.name: (t.stage, len(t.pairs)) for t in lane.timed}
    assert stages[NAMES[5]] == (2, 24)
    assert (1, 8) in stages.values()


def test_a_steady_drift_cancels() -> None:
    """A machine that slows down all the time slows both down."""
    lane = run(Machine(6, luck=0, jitter=0, drift=0.002))
    for one in lane.timed:
        assert one.change and abs(one.change.estimate) < 1e-3
        assert one.verdict == "SAME"


def test_a_crash_in_the_third_block_is_named_and_the_rest_kept() -> None:
    """That benchmark has no verdict; the run is no measurement."""
    lane = run(Machine(7, crash=(NAMES[4], 5)))
    table = {t.name: t for t in lane.timed}
    assert table[NAMES[4]].verdict is None
    assert table[NAMES[4]].problem == "B ended by SIGSEGV in block 3"
    assert len(table[NAMES[4]].pairs) == 2
    assert all(t.verdict == "SAME" for n, t in table.items()
               if n != NAMES[4])
    whole = gate(lane)
    assert gate_status(whole, False) == 5
    assert any(NAMES[4] in fault for fault in whole.faults)


@pytest.mark.parametrize("machine, why", [
    (Machine(8, error=NAMES[1]), "wrong sum"),
    (Machine(8, skip=NAMES[1]), "did not measure it"),
])
def test_no_right_answer_no_time(machine: Machine, why: str) -> None:
    """Nor where one side does not measure it."""
    lane = run(machine)
    one = next(t for t in lane.timed if t.name == NAMES[1])
    assert one.verdict is None and why in (one.problem or "")
    assert gate_status(gate(lane), False) == 5


def test_an_interrupted_run_has_what_was_measured() -> None:
    """The lane is right at any time."""
    inner, lane = Machine(9, slower=0.3, where=NAMES), TimeLane()

    def stop(arm: Arm, plan: Sequence[Planned]) -> Any:
        if inner.processes >= 80:
            raise KeyboardInterrupt
        return inner(arm, plan)

    with pytest.raises(KeyboardInterrupt):
        measure_time([Path("base")], [Path("here")], PLAN, stop, quiet, lane)
    assert lane.blocks == 10
    assert all(len(t.pairs) == 8 for t in lane.timed)


def test_real_processes_take_part(bench: Path, library: Library) -> None:
    """The lane over the fake plumb-bench: it crashes in the third block."""
    times = {"a": 100.0, "b": 50.0}
    base = library("base", times, impl="ref")
    here = library("here", times, impl="ref", crash={"b": 5})
    plan = [Planned(n, 1, 100, 5, 0.1) for n in times]
    lane = measure_time([base], [here], plan, time_runner(bench, "ref"), quiet,
                        TimeLane(), stages=(7, 7))
    a, b = lane.timed
    assert a.verdict == "SAME" and a.pairs[0] == pytest.approx((100, 100))
    assert lane.proof and lane.proof.faults == []
    assert b.problem and "SIGSEGV in block 3" in b.problem


# -- exact ------------------------------------------------------------------


def _record(name: str, version: int = 1, error: str | None = None,
            pauses: Sequence[Pauses] = (), **counters: float) -> Record:
    return Record(name, "ref", version, 1, 1, (1.0,), (1.0,), counters,
                  pauses, 0, 0, error)


def _counts(*records: Record, varying: Sequence[Any] = ()) -> Counters:
    values = {(r.name, r.version, k): v for r in records
              for k, v in r.counters.items()}
    return Counters(values, varying, {})


BASE = {("a", 1, "calls"): 10.0, ("a", 1, "bytes"): 100.0,
        ("b", 1, "calls"): 3.0}


def _check(counters: Counters, waivers: Sequence[Any] = (),
           again: Any = None) -> dict[str, str]:
    found = check_exact(BASE, counters, list(waivers), TODAY, again)
    return {f"{x.benchmark} {x.counter}": x.kind for x in found.lines}


def test_any_increase_is_one_and_a_decrease_is_told() -> None:
    """What is new or gone is told, too; what is equal is not."""
    now = _counts(_record("a", calls=11, bytes=100), _record("b", calls=2),
                  _record("c", calls=1))
    assert _check(now) == {"a calls": "more", "b calls": "less",
                           "c calls": "new"}
    assert _check(_counts(_record("a", calls=10, bytes=100))) == {
        "b calls": "gone"}


def test_an_increase_is_counted_once_more() -> None:
    """One that a third run does not see varies."""
    now = _counts(_record("a", calls=11, bytes=101), _record("b", calls=3))
    seen: list[Sequence[str]] = []

    def again(names: Sequence[str]) -> Counters:
        seen.append(names)
        return _counts(_record("a", calls=11, bytes=100))

    assert _check(now, again=again) == {"a calls": "more",
                                        "a bytes": "varies"}
    assert seen == [["a"]]


def test_another_version_has_to_be_accepted() -> None:
    """It is no increase: nobody knows what it should be."""
    now = _counts(_record("a", 2, calls=99, bytes=100), _record("b", calls=3))
    assert _check(now) == {"a calls": "other version", "a bytes":
                           "other version"}


WAIVERS = """waivers:
- {benchmark: 'a*', counter: calls, most: 12, reason: "a list per timer",
   expires: 2026-12-01}
"""


@pytest.mark.parametrize("calls, today, kind", [
    (12, TODAY, "waived"), (13, TODAY, "more"),
    (12, date(2026, 12, 1), "waived"), (12, date(2026, 12, 2), "more"),
])
def test_a_waiver_ends_and_has_a_limit(
    tmp_path: Path, calls: int, today: date, kind: str
) -> None:
    """Afterwards the increase counts, and the waiver is named."""
    (tmp_path / "w.yaml").write_text(WAIVERS)
    found = check_exact(BASE, _counts(_record("a", calls=calls, bytes=100),
                                      _record("b", calls=3)),
                        read_waivers(tmp_path / "w.yaml"), today, None)
    line, = found.lines
    assert line.kind == kind
    if today > date(2026, 12, 1):
        assert line.note == "a waiver ended on 2026-12-01"


@pytest.mark.parametrize("text, why", [
    ("waivers:\n- {benchmark: a, counter: c, most: 1, expires: 2026-12-01}",
     "'reason'"),
    (WAIVERS.replace('"a list per timer"', '"  "'), "reason is empty"),
    (WAIVERS.replace("2026-12-01", "soon"), "no day"),
    ("waivers: [", "a waiver is wrong"),
    ("[]", "a waiver is wrong"),
])
def test_a_waiver_without_reason_or_end_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    """With what is missing."""
    (tmp_path / "w.yaml").write_text(text)
    with pytest.raises(UsageError, match=why):
        read_waivers(tmp_path / "w.yaml")


def test_what_varies_takes_no_part() -> None:
    """A counter that is another in every run is named, and left out."""
    numbers = iter(range(100))

    def runs(names: Sequence[str]) -> Any:
        return [_record("a", calls=10, luck=float(next(numbers)))], []

    found = count(runs, ["a"], 3, quiet(""))
    assert found.values == {("a", 1, "calls"): 10}
    assert found.varying == [("a", 1, "luck")]


def test_pauses_on_the_logical_clock_are_counters() -> None:
    """The same on every machine, so they gate."""
    pauses = [Pauses("logical", 1000, [(0, 5), (50, 40)]),
              Pauses("wall", 1000, [(0, 77)])]
    found = count(lambda names: ([_record("gc", pauses=pauses)], []), ["gc"],
                  2, quiet(""))
    assert found.values == {("gc", 1, "logical_pause_p99"): 40,
                            ("gc", 1, "logical_pause_max"): 40}


def test_what_cannot_be_counted_is_no_measurement() -> None:
    """A crash or a wrong answer, by name."""
    found = count(
        lambda names: ([_record("a", error="wrong sum")],
                       [Crash("b", "ref", "died")] if "b" in names else []),
        ["a", "b"], 2, quiet(""))
    assert found.problems == {"a": "wrong sum", "b": "died"}
    whole = gate(exact=check_exact(BASE, found, [], TODAY, None))
    assert gate_status(whole, False) == 5


def test_accepting_writes_a_line_per_counter_and_the_reason(
    tmp_path: Path
) -> None:
    """Sorted, so that a change reads well; what broke keeps what it had."""
    path = tmp_path / "ref.json"
    assert read_baseline(path) == {}
    accept(path, _counts(_record("b", calls=3), _record("a", calls=10.5)),
           "first", TODAY)
    lines, _ = accept(path, Counters({("a", 1, "calls"): 9.0}, [],
                                     {"b": "died"}), "fewer", TODAY)
    assert [line.kind for line in lines] == ["less"]
    assert read_baseline(path) == {("a", 1, "calls"): 9, ("b", 1, "calls"): 3}
    text = path.read_text()
    assert '  "a v1 calls": 9,\n  "b v1 calls": 3\n' in text
    assert [x["reason"] for x in json.loads(text)["accepted"]] == [
        "first", "fewer"]
    path.write_text("{")
    with pytest.raises(UsageError, match="no file of counters"):
        read_baseline(path)


# -- instructions, latency, the whole ---------------------------------------


def _counter(table: dict[tuple[str, str], list[int | None]]) -> Any:
    def one(library: Path, name: str) -> int | None:
        values = table[library.name, name]
        return values.pop(0) if len(values) > 1 else values[0]

    return one


def test_more_than_one_per_cent_of_instructions_is_a_regression() -> None:
    """Exactly so much is none; what varies or cannot be counted is named."""
    found = count_instructions(_counter({
        ("base", "a"): [1000], ("here", "a"): [1010],
        ("base", "b"): [1000], ("here", "b"): [1011],
        ("base", "c"): [1000, 1050], ("here", "c"): [1100],
        ("base", "d"): [1000], ("here", "d"): [None],
        ("base", "e"): [1000, 1004], ("here", "e"): [1013, 1012],
        ("base", "f"): [1000, 1001], ("here", "f"): [1100, 1099],
        ("base", "g"): [1000], ("here", "g"): [900],
    }), Path("base"), Path("here"), list("abcdefg"), quiet(""))
    assert [one.regressed for one in found] == [
        False, True, False, False, False, True, False]
    assert [one.problem for one in found] == [
        None, None, "varies from run to run",
        "what is here cannot be counted", None, None, None]
    assert (found[5].before, found[5].after) == (1001, 1099)
    assert gate_status(gate(instructions=found), False) == 3


def test_latencies_are_of_both_sides() -> None:
    """Percentiles, and utilization where there is a span."""
    early = [_record("gc", pauses=[Pauses("wall", 1000, [(10, 10)] * 3)])]
    late = [_record("gc", pauses=[Pauses("wall", 1000, [(10, 20)])])]
    found, = latencies(early, late)
    assert found.quantiles()[0] == (0.5, 10, 20)
    assert found.utilization[-1] == (1000, 0.99, 0.98)
    assert latencies(early, []) == []


def test_a_gate_is_written_shown_and_read_again(tmp_path: Path) -> None:
    """In a file, a terminal and Markdown."""
    lane = run(Machine(2, slower=0.2, where=NAMES[:1]))
    exact = check_exact(BASE, _counts(_record("a", calls=11, bytes=100),
                                      _record("b", calls=3)), [], TODAY, None)
    records = [_record("gc", pauses=[Pauses("wall", 1000, [(10, 10)])])]
    whole = gate(lane, exact=exact, latency=latencies(records, records),
                 instructions=[Instructions("a", 100, 120)],
                 skipped={"cases": "none"})
    status = gate_status(whole, False)
    assert status == 3
    value = read_gate(write_gate(tmp_path, whole, status))
    assert value["status"] == 3 and value["complete"]
    assert value["proof"]["canary"]["verdict"] == "REGRESSED"
    assert len(value["time"]) == 6 and value["faults"] == []
    assert value["latency"][0]["before"].most == 10
    out = StringIO()
    Console(file=out, width=120, color_system=None).print(
        gate_tables(whole, status))
    for text in ("base against base", "15% more work", "a calls", "+20.00%",
                 "slower than the base: 1 REGRESSED, 5 SAME, 1 of 3 counters "
                 "more", "cases lane skipped"):
        assert text in out.getvalue(), text
    page = markdown(whole, status)
    assert page.startswith("**Plumbline gate: slower than the base")
    assert f"| `{NAMES[0]}` |" in page and "| `a calls` | 10 | 11 |" in page


def test_a_file_that_is_no_gate_s_is_refused(tmp_path: Path) -> None:
    """Named."""
    path = tmp_path / "x.json"
    with pytest.raises(UsageError):
        read_gate(path)
    for text in ("{", "[]", '{"kind": "other"}'):
        path.write_text(text)
        with pytest.raises(Exception, match="x.json"):
            read_gate(path)


def test_the_list_of_the_gate_can_be_read(tmp_path: Path) -> None:
    """The committed one is whole: ten benchmarks, each with its cases."""
    config = read_config(find_places().root / "bench" / "gate.yaml")
    assert len(config.time) >= 10
    for name in config.time:
        assert config.cases_of([name]), name
    for text in ("[", "{}", "time: x\nexact: []\ninstructions: []\ncases: {}"):
        (tmp_path / "g.yaml").write_text(text)
        with pytest.raises(UsageError):
            read_config(tmp_path / "g.yaml")


def test_the_layouts_of_a_benchmark_are_held_against_each_other() -> None:
    """By the median of each; the worst benchmark first."""
    told = spread({"steady": [[10.0, 99.0, 10.1], [10.1, 10.1, 9.0]],
                   "moved": [[10.0, 10.0, 10.0], [12.0, 12.0, 50.0]]})
    assert [line.split()[0] for line in told] == ["moved", "steady"]
    assert "9.1%" in told[0] and "20.0%" in told[0]
    assert "0.0%" in told[1]


def test_the_counts_of_a_series_are_of_every_run() -> None:
    """Also of those that were no measurement."""
    def line(inject: float, valid: bool, *verdicts: str) -> dict[str, Any]:
        return {"inject": inject, "valid": valid, "load": 2.0,
                "seconds": 10.0,
                "verdicts": {str(n): v for n, v in enumerate(verdicts)}}

    text = summary([
        line(0, True, "SAME", "SAME"), line(0, False, "REGRESSED", "SAME"),
        line(10, True, "REGRESSED", "INCONCLUSIVE"),
        {**line(0, True, "SAME"), "apart": True}])
    for part in (
        "identical: 2 runs, 4 verdicts (2 benchmarks)", "3 SAME, 1 REGRESSED",
        "1 runs were no measurement", "false REGRESSED: 1; among those that "
        "were valid: 0", "+10% injected: 1 runs", "caught: 50%; called "
        "SAME: 0", "identical, in layouts of their own: 1 runs",
    ):
        assert part in text, text
