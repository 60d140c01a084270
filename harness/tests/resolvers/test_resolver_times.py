# SPDX-License-Identifier: MIT
"""What `compare-resolvers --times` measures, of whom, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from resolver_world import binary, node, write  # noqa: F401
from rich.console import Console

from plumbline.commands.compare_resolvers import (
    _show_times,
    _times_as_json,
)
from plumbline.places import find_places
from plumbline.registry import read_registry
from plumbline.resolvers import Node, Question
from plumbline.resolvers._times import (
    Engine,
    Round,
    Small,
    Times,
    engines_of,
    measure,
    measure_small,
    write_lists,
)


def test_lists_have_files_and_failures_only(tmp_path: Path) -> None:
    """A core module is neither; imports are left out."""
    asked = [Question("r", "/d", "a"), Question("r", "/d", "fs"),
             Question("r", "/d", "no"), Question("i", "/d", "a")]
    answers = [{"path": "/d/a.js"}, {"path": "fs"}, {"code": "X"},
               {"path": "/d/a.js"}]
    found, failing = write_lists(tmp_path, asked, answers)
    assert found.read_text() == "/d\ta\n"
    assert failing.read_text() == "/d\tno\n"


def test_ratios_are_of_the_same_round() -> None:
    """The median of three quotients, not the quotient of medians."""
    def times(*cold: float) -> Times:
        return Times(Engine("x", ()), [Round(c, 1, 1, 1) for c in cold])

    assert times(10, 20, 40).ratio(times(30, 40, 400), "cold") == 3
    assert times(10, 20, 40).median("cold") == 20
    assert times(10, 20, 40).ratios(times(30, 40, 400), "cold") == [2, 3, 10]


def test_the_reference_stands_first() -> None:
    """And Node 12 is among those that are measured, where it is here."""
    registry = read_registry(find_places())
    engines = engines_of(registry, Path("plumb-resolve"))
    assert engines[0].own and not any(e.own for e in engines[1:])
    titles = {t.title for t in registry.found(registry.entry("node"))}
    assert titles <= {engine.name for engine in engines}


def test_engines_are_measured_in_rounds(
    binary: Path, node: Node, write: Callable[..., Path],  # noqa: F811
    tmp_path: Path
) -> None:
    """Each has its times in each round, and what it resolved."""
    root = write(a_dot_js="", b_dot_js="")
    found, failing = tmp_path / "found.tsv", tmp_path / "failing.tsv"
    found.write_text(f"{root}\t./a\n{root}\t./b\n")
    failing.write_text(f"{root}\tnope\n")
    wanted = (str(binary), str(node.path))
    engines = [e for e in engines_of(read_registry(find_places()), binary)
               if e.command[0] in wanted]
    assert len(engines) >= 2
    for times in measure(engines, found, failing, 2):
        assert len(times.rounds) == 2
        for one in times.rounds:
            assert one.resolved == 2
            assert min(one.cold, one.warm, one.failing) > 0
        assert times.calls is None or times.calls > 0
    [small] = [s for s in measure_small(engines[0], found, 1) if s.size == 2]
    assert min(small.single + small.listed + small.chosen) > 0
    assert small.single[1] == small.chosen[1]


def test_times_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As tables, and as JSON with each round."""
    ours = Times(Engine("reference", ()),
                 [Round(1000, 50, 40, 7, 71), Round(2000, 60, 50, 7, 75)],
                 0.5)
    theirs = Times(Engine("bun-1.2", ()),
                   [Round(3000, 500, 400, 6), Round(4000, 600, 500, 6)])
    small = [Small(10, (3.0, 2.5), (9.0, 8.0), (3.1, 2.5))]
    _show_times(Console(width=120), [ours, theirs], small)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["reference", "7", "1,500", "1.00", "[1–1]", "0.50", "55", "1.00",
            "[1–1]", "45", "1.00", "[1–1]"] in lines
    assert ["bun-1.2", "6", "3,500", "2.50", "[2–3]", "-", "550", "10.00",
            "[10–10]", "450", "10.00", "[10–10]"] in lines
    assert ["path:", "73"] in [line[-2:] for line in lines]
    assert ["10", "3", "(2.50)", "9", "(8.00)", "3", "(2.50)"] in lines
    told = _times_as_json([ours, theirs], small)
    assert told["times"][1]["ratios"]["cold"] == 2.5
    assert told["times"][0]["rounds"][1]["warm"] == 60
    assert told["times"][0]["rounds"][1]["by_path"] == 75
    assert told["small"][0]["listed"] == (9.0, 8.0)
    assert _times_as_json([], []) == {}
