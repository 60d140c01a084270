# SPDX-License-Identifier: MIT
"""The reference against its peers: rounds, ratios and targets."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import samples
from plumbline.errors import RunError
from plumbline.places import Places, find_places
from plumbline.ratio_figures import refreshed
from plumbline.ratios import (
    Found, Goal, measure_goals, ratio_table, read_goals,
)

TARGETS = """\
groups:
- title: Timers
  figures:
  - {title: "armed, {n} live", bench: "loop/arm/n:{n}", n: [1, 1000], ratio: 8,
     limit: "no floor"}
  - {title: slept, bench: loop/sleep, clock: real}
  - {title: queued, bench: loop/queue, below: 15}
  - {title: "read, to work", bench: loop/read, theirs: loop/work, ratio: 2}
  - {title: "read, armed", bench: loop/read, plus: "loop/arm/n:1", ratio: 0.5}
"""

# Writes the next of the answers that lie beside it, and the words it was given.
BENCH = """\
#!/bin/sh
here=$(dirname "$0")
for word; do case $word in
  --benchmark_list_tests=true) exit 0 ;;
  --benchmark_out=*) out=${word#--benchmark_out=} ;;
esac; done
round=$(($(cat "$here/rounds" 2>/dev/null || echo 0) + 1))
echo $round >"$here/rounds"
echo "$*" >>"$here/words"
[ -f "$here/answer-$round" ] || { echo "no ring" >&2; exit 1; }
cp "$here/answer-$round" "$out"
"""

Times = dict[str, float]


def _answer(times: Times, calls: float | None = None) -> str:
    return json.dumps({"context": {}, "benchmarks": [
        {"name": name, "run_type": "iteration", "process_cpu_ns": ns,
         "real_time": 10 * ns, "time_unit": "ns",
         **({} if calls is None else {"syscalls": calls})}
        for name, ns in times.items()
    ]})


def _quiet(name: str) -> Callable[[int, int | None], None]:
    return lambda done, total: None


@pytest.fixture()
def goals(tmp_path: Path) -> list[Goal]:
    path = tmp_path / "targets.yaml"
    path.write_text(TARGETS)
    return read_goals(path)


def _measure(
    tmp_path: Path, goals: list[Goal], answers: list[str]
) -> tuple[list[Found], list[str]]:
    bench = tmp_path / "bench" / "plumb-bench"
    bench.parent.mkdir()
    bench.write_text(BENCH)
    bench.chmod(0o755)
    for number, answer in enumerate(answers, 1):
        (bench.parent / f"answer-{number}").write_text(answer)
    found = measure_goals(
        Places(find_places().root, tmp_path), goals,
        {"ref": Path("ref.so"), "libuv": Path("uv.so")}, tmp_path / "out",
        max(len(answers), 1), 0.01, _quiet)
    words = (bench.parent / "words").read_text().splitlines()
    return found, words


ROUND: Times = {
    "loop/arm/n:1/impl:ref": 10, "loop/arm/n:1/impl:libuv": 90,
    "loop/arm/n:1000/impl:ref": 10, "loop/arm/n:1000/impl:libuv": 70,
    "loop/sleep/impl:ref": 5, "loop/sleep/impl:libuv": 6,
    "loop/queue/impl:ref": 12,
    "loop/read/impl:ref": 100, "loop/read/impl:libuv": 1,
    "loop/work/impl:libuv": 300,
}


def test_a_figure_is_expanded_and_names_its_other_side(
    goals: list[Goal]
) -> None:
    """A line per size; what is asked of the other side may be another one."""
    assert [goal.title for goal in goals] == [
        "armed, 1 live", "armed, 1,000 live", "slept", "queued",
        "read, to work", "read, armed"]
    assert goals[1].bench == goals[1].theirs == "loop/arm/n:1000"
    assert goals[4].theirs == "loop/work"
    assert goals[2].real and goals[2].ratio is None
    assert goals[3].below == 15


@pytest.mark.parametrize("broken, why", [
    ("groups:\n- {title: x, figures: [{title: a, bench: a, b: 1}]}", "'b'"),
    ("groups:\n- {title: x, figures: [{title: a, bench: 'a.*'}]}", "'a"),
    ("groups:\n- {title: x, figures: [{title: a, bench: a, clock: c}]}",
     "'c'"),
    ("groups: [", "cannot be used"),
    ("{}", "cannot be used"),
])
def test_a_broken_list_of_targets_says_what_is_wrong(
    tmp_path: Path, broken: str, why: str
) -> None:
    """And never ends in a traceback."""
    path = tmp_path / "targets.yaml"
    path.write_text(broken)
    with pytest.raises(RunError, match=why):
        read_goals(path)


def test_rounds_take_turns_and_count_system_calls_once(
    tmp_path: Path, goals: list[Goal]
) -> None:
    """The order of the two sides alternates."""
    _, words = _measure(tmp_path, goals, [_answer(ROUND)] * 3)
    order = [line.split("--provider ")[1].split()[0] for line in words]
    assert order == ["ref.so", "uv.so", "ref.so"]
    assert ["--no-syscalls" in line for line in words] == [False, True, True]
    assert all("--benchmark_filter=^(loop/arm/n:1|" in line for line in words)


def test_a_ratio_is_the_median_of_those_within_rounds(
    tmp_path: Path, goals: list[Goal]
) -> None:
    """A round in which the machine is slow is slow for both."""
    slow = {name: 7 * ns for name, ns in ROUND.items()}
    other = {**ROUND, "loop/arm/n:1/impl:libuv": 110.0}
    found, _ = _measure(
        tmp_path, goals, [_answer(ROUND, 1.5), _answer(slow), _answer(other)])
    assert found[0].ratios == (9, 9, 11)
    assert [one.reached for one in found] == [
        True, False, None, True, True, True]
    assert found[0].calls == (1.5, 1.5)
    assert found[2].ours == 50  # the other clock
    assert found[4].ratios == (3, 3, 3)


def test_what_is_put_off_is_counted_where_it_is_paid(
    tmp_path: Path, goals: list[Goal]
) -> None:
    """The times of two benchmarks, and their system calls, are added."""
    found, _ = _measure(tmp_path, goals, [_answer(ROUND, 1.5)])
    assert (found[5].ours, found[5].theirs) == (110, 91)
    assert found[5].ratios == (91 / 110,)
    assert found[5].calls == (3, 3)
    lacking = {name: ns for name, ns in ROUND.items()
               if name != "loop/arm/n:1/impl:libuv"}
    (tmp_path / "again").mkdir()
    found, _ = _measure(tmp_path / "again", goals, [_answer(lacking)])
    assert found[5].theirs is None and found[5].reached is None


def test_the_table_shows_times_calls_ratios_and_why_not(
    tmp_path: Path, goals: list[Goal]
) -> None:
    """A reason stands below the table, once."""
    found, _ = _measure(tmp_path, goals, [_answer(ROUND, 0.25)] * 2)
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(ratio_table(found))
    samples.golden("ratios.txt", out.getvalue())


def test_what_cannot_be_measured_says_why(
    tmp_path: Path, goals: list[Goal]
) -> None:
    """The other figures still are."""
    found, _ = _measure(tmp_path, goals, [])
    assert {one.reached for one in found} == {None}
    assert all(one.problem and "no ring" in one.problem for one in found)
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(ratio_table(found))
    assert out.getvalue().count("no ring") == 1


def test_the_reference_has_a_target_for_every_figure() -> None:
    """What bench/targets.yaml lists can be read, and covers the loop."""
    goals = read_goals(find_places().root / "bench" / "targets.yaml")
    wanted = {goal.bench.split("/")[1] for goal in goals}
    assert wanted == {"timers", "iteration", "async", "stream", "poll", "pool",
                      "fs", "queues"}
    assert {goal.against for goal in goals} == {"libuv", "libev"}


def _found(title: str, ours: float, *ratios: float) -> Found:
    goal = Goal("Timers", title, "loop/x", "loop/x", None, "ref", "libuv", 8.0,
                None, False, None)
    return Found(goal, ours, 1234.5, ratios, (0.0, 2.014))


def test_rows_of_figures_are_refreshed_and_nothing_else() -> None:
    text = """\
# What was reached

## Timers

| figure | wanted | ratio | ours | theirs | |
|---|---|---|---|---|---|
| armed | ≥ 8 | old | old | old | reached |
| by hand | as it was |

- *armed*: a remark.

## Descriptors

| armed | of another group |
"""
    new, missing = refreshed(
        text, [_found("armed", 6.44, 7.0, 7.5, 9.0), _found("fired", 1.0, 9.0)])
    changed = [line for line in new.split("\n") if line not in text.split("\n")]
    assert changed == [
        "| armed | ≥ 8 | 7.5 [7–9] | 6.44 (0) | 1,234 (2.01) "
        "| **not reached** |"
    ]
    assert len(new) - len(text) == len(changed[0]) - len(
        "| armed | ≥ 8 | old | old | old | reached |")
    assert missing == ("fired",)
