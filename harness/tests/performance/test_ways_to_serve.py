# SPDX-License-Identifier: MIT
"""`bench --ways-to-serve`: what the program prints becomes a table, a picture,
and a section of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import fake_app
from rich.console import Console

from plumbline.commands.bench import command
from plumbline.errors import RunError
from plumbline.report.performance._figure import available
from plumbline.report.performance._sizes import throughputs
from plumbline.report.performance._ways import ways_figure
from plumbline.ways_to_serve import measure_ways, ways_table

WAYS = ["sequential", "process", "thread", "event", "proxy", "round-robin",
        "round-robin-1", "shared"]


def _entry(load: str, n: int, way: str) -> dict[str, Any]:
    return {
        "name": f"ways-to-serve/{load}/n:{n}/impl:{way}",
        "run_type": "iteration", "repetitions": 3, "iterations": 1,
        "real_time": 1e6, "cpu_time": 9000.0, "time_unit": "ns",
        "label": "as it is", "way": way, "load": load, "n": n,
        "connections_per_second": 1000.0 * n, "p50_us": 20.0, "p99_us": 90.0,
        "cpu_ns_per_connection": 9000.0,
        "primary_cpu_ns_per_connection": 4000.0,
        "memory_bytes_per_connection": 432.0, "fairness": 0.75,
    }


def _answer() -> str:
    entries = [_entry(load, n, way) for load in ("busy", "slow")
               for n in (1, 16) for way in WAYS]
    entries.append({"name": "ways-to-serve/slow/n:256/impl:thread",
                    "run_type": "iteration", "error_occurred": True,
                    "error_message": "connect: refused"})
    return json.dumps({"context": {"num_cpus": 2}, "benchmarks": entries})


def test_all_ways_stand_in_one_table_and_one_picture(tmp_path: Path) -> None:
    """With their counters; what failed says why."""
    places = fake_app(tmp_path, "ways-to-serve", _answer())
    document = measure_ways(places, True, tmp_path / "out")
    assert document.path == tmp_path / "out" / "ways-to-serve.json"
    said = (tmp_path / "ref/apps/ways-to-serve/words").read_text().split()
    assert said == ["--bench", "--json", "--quick"]
    console = Console(width=160, record=True, file=(tmp_path / "x").open("w"))
    console.print(ways_table(document))
    text = console.export_text()
    assert "16,000" in text and "0.750" in text and "connect: refused" in text
    figure = ways_figure([document])
    assert figure is not None
    assert figure.command == "plumbline bench --ways-to-serve --quick"
    assert "shared: 16,000 connections a second" in figure.text
    assert [row["way"] for row in figure.data
            if (row["load"], row["clients"]) == ("busy", 16)] == WAYS
    assert (tmp_path / "out" / "ways-to-serve.svg").exists() == available()
    if available():
        assert all(way in figure.svg for way in WAYS)


def test_they_are_not_drawn_once_more_as_sizes(tmp_path: Path) -> None:
    places = fake_app(tmp_path, "ways-to-serve", _answer())
    document = measure_ways(places, False, tmp_path / "out")
    assert throughputs([document], "x") == []
    assert ways_figure([]) is None


@pytest.mark.parametrize("prints, status, why", [
    (_answer(), 1, "trouble"), ("no JSON", 0, "no JSON"), ("[]", 0, "no JSON"),
])
def test_a_program_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, prints: str, status: int, why: str
) -> None:
    places = fake_app(tmp_path, "ways-to-serve", prints, status)
    with pytest.raises(RunError, match=why):
        measure_ways(places, False, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_ways_are_measured_alone() -> None:
    for words in (["ref"], ["--filter", "x"], ["--ratios"], ["--rounds", "3"]):
        result = CliRunner().invoke(command, ["--ways-to-serve", *words])
        assert "--ways-to-serve goes with" in str(result.exception), words
