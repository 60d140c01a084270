# SPDX-License-Identifier: MIT
"""What the terminal shows, to the letter."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import samples
from rich.console import Console

from plumbline.results import read_many, read_results
from plumbline.summary import rows, tally
from plumbline.table import print_table, print_unexpected


def _console() -> tuple[Console, StringIO]:
    out = StringIO()
    return Console(file=out, width=100, color_system=None,
                   highlight=False), out


def test_the_table_of_two_implementations(tmp_path: Path) -> None:
    """Areas against implementations, and a legend of the marks in use."""
    console, out = _console()
    print_table(console, read_many(samples.write_results(tmp_path)))
    samples.golden("table.txt", out.getvalue())


def test_many_implementations_are_told_in_pieces(tmp_path: Path) -> None:
    """Every name and every cell stands there whole, in narrow terminals too.
    """
    case = samples.result("loop/timers/same-duration")
    paths = [
        samples.write_lines(tmp_path / f"{name}-1.23.456.jsonl",
                            samples.results_lines(name, "1.23.456", [case]))
        for name in (f"implementation-{i}" for i in range(7))
    ]
    names = [f"implementation-{i}-1.23.456" for i in range(7)]
    for width, pieces in ((200, 2), (100, 3), (60, 7), (20, 7)):
        out = StringIO()
        print_table(Console(file=out, width=width, color_system=None),
                    read_many(paths))
        lines = out.getvalue().splitlines()
        heads = [line for line in lines if line.startswith("passed /")]
        if width >= 60:
            assert [w for h in heads for w in h.split()[3:]] == names, width
            assert max(map(len, lines)) <= width
        assert len(heads) == pieces, width


def test_the_unexpected_cases_of_two_implementations(tmp_path: Path) -> None:
    """Each with its explanation, its trace and the command."""
    console, out = _console()
    results = read_many(samples.write_results(tmp_path))
    commands = {
        (r.label, case.id): f"./plumbline run {r.label} --select {case.id}"
        for r in results for case in r.unexpected()
    }
    count = print_unexpected(console, results, commands)
    assert count == 2
    samples.golden("unexpected.txt", out.getvalue())


def test_an_unexpected_pass_is_told_with_its_reason(tmp_path: Path) -> None:
    """It is as red as a failure."""
    case = samples.result("loop/timers/same-duration", expected=["fail"],
                          reason="was broken until 19")
    case["unexpected"] = True
    path = samples.write_lines(
        tmp_path / "x.jsonl", samples.results_lines("x", "1", [case])
    )
    console, out = _console()
    assert print_unexpected(console, [read_results(path)], {}) == 1
    assert "passes, but fail is expected: was broken until 19" in (
        out.getvalue()
    )


def test_a_long_command_stays_in_one_line(tmp_path: Path) -> None:
    """It is there to be copied."""
    console, out = _console()
    results = read_many(samples.write_results(tmp_path))
    command = "./plumbline run --adapter " + "x" * 150
    told = {("node-20.20.2", "loop/timers/same-duration"): command}
    print_unexpected(console, results, told)
    assert f"  again: {command}\n" in out.getvalue()


def test_a_trace_is_cut_around_the_violation(tmp_path: Path) -> None:
    """Forty events are not forty events on the screen."""
    case = samples.result(
        "loop/timers/same-duration", "fail",
        traces=[{"events": [f"e{n}" for n in range(40)], "count": 1,
                 "allowed": False}],
        explanation={"summary": "wrong", "kind": "order", "at": 30,
                     "expected": []},
    )
    path = samples.write_lines(
        tmp_path / "x.jsonl", samples.results_lines("x", "1", [case])
    )
    console, out = _console()
    print_unexpected(console, [read_results(path)], {})
    assert "e30" in out.getvalue()
    assert "e2 " not in out.getvalue()
    assert "e39" not in out.getvalue()


def test_many_unexpected_cases_are_cut(tmp_path: Path) -> None:
    """The rest is in the report."""
    results = read_many(samples.write_results(tmp_path))
    console, out = _console()
    assert print_unexpected(console, results, {}, limit=1) == 2
    assert "… and 1 more cases: see the report" in out.getvalue()


def test_every_case_is_counted_once(tmp_path: Path) -> None:
    """Whatever the verdicts, the groups add up to the cases."""
    for results in read_many(samples.write_results(tmp_path)):
        count = tally(results.cases.values())
        groups = (count.passed + count.unexpected + count.known
                  + count.differs + count.inconclusive + count.unsupported
                  + count.disputed)
        assert groups == len(results.cases)
        assert count.counted == len(results.cases) - count.disputed


def test_a_disputed_case_is_shown_and_not_counted(tmp_path: Path) -> None:
    """It is in no denominator."""
    case = samples.result("loop/timers/same-duration", "disputed")
    path = samples.write_lines(
        tmp_path / "x.jsonl", samples.results_lines("x", "1", [case])
    )
    count = tally(read_results(path).cases.values())
    assert (count.counted, count.disputed) == (0, 1)


def test_one_area_is_shown_by_its_topics(tmp_path: Path) -> None:
    """A table of one row would tell nothing."""
    cases = [c for c in samples.good_cases() if c["area"] == "loop"]
    path = samples.write_lines(
        tmp_path / "x.jsonl", samples.results_lines("x", "1", cases)
    )
    names = [row.name for row in rows([read_results(path)])]
    assert names == ["loop/check", "loop/timers", "total"]
