# SPDX-License-Identifier: MIT
"""What changed between two runs, and the shards of one run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import samples

from plumbline.difference import difference
from plumbline.errors import ResultsError
from plumbline.export import diff_html, diff_json, diff_markdown
from plumbline.results import Results, read_results
from plumbline.shards import merge_shards

Lines = Sequence[Mapping[str, Any]]
INDEX = "modules/main/index"
SAME = "loop/timers/same-duration"


def _read(path: Path, cases: Lines, **header: Any) -> Results:
    return read_results(samples.write_lines(
        path, samples.results_lines("x", "1", cases, **header)))


@pytest.mark.parametrize("old, new, group", [
    ({}, {}, None),
    ({}, {"verdict": "fail"}, "regressed"),
    ({"verdict": "fail"}, {}, "fixed"),
    ({"verdict": "fail"}, {"verdict": "crash"}, "changed"),
    ({}, {"verdict": "flaky"}, "flaky"),
    ({"verdict": "flaky"}, {}, "flaky"),
    ({}, {"verdict": "unsupported"}, "capability"),
    ({"verdict": "unsupported"}, {"verdict": "fail"}, "capability"),
    ({"verdict": "fail", "expected": ["fail"]}, {}, "fixed"),
    ({}, {"verdict": "fail", "expected": ["fail"]}, "regressed"),
    ({"verdict": "fail", "expected": ["fail"]}, {"expected": ["fail"]},
     "regressed"),
    ({}, {"verdict": "differs"}, "changed"),
    (None, {}, "new"),
    ({}, None, "removed"),
])
def test_a_case_is_in_one_group(
    old: dict[str, Any] | None, new: dict[str, Any] | None,
    group: str | None, tmp_path: Path,
) -> None:
    """And in the right one."""
    sides = [
        _read(tmp_path / f"{n}.jsonl", [
            samples.result(SAME),
            *([samples.result(INDEX, **side)] if side is not None else []),
        ])
        for n, side in enumerate((old, new))
    ]
    found = difference(sides[0], sides[1])
    assert {name: [c.id for c in changes]
            for name, changes in found.groups.items() if changes} == (
        {group: [INDEX]} if group else {})
    assert found.same == (1 if group else 2)
    assert found.regressed == (group == "regressed")
    assert found.quiet == (group is None)


def _sample(folder: Path) -> list[Results]:
    return [read_results(p) for p in samples.write_results(folder)]


def test_an_interrupted_run_is_no_side(tmp_path: Path) -> None:
    whole = _sample(tmp_path)[0]
    part = read_results(samples.write_lines(
        tmp_path / "p.jsonl", samples.results_lines(
            "x", "1", [], complete=False)))
    with pytest.raises(ResultsError, match="interrupted"):
        difference(whole, part)


def test_a_shard_is_compared_with_the_same_shard_alone(
    tmp_path: Path
) -> None:
    """Or all other cases would look removed."""
    whole = _sample(tmp_path)[0]
    one, two = (read_results(p) for p in _shards(tmp_path, 2))
    with pytest.raises(ResultsError, match="this is shard 1 of 2"):
        difference(whole, one)
    with pytest.raises(ResultsError, match="this is shard 2 of 2"):
        difference(two, one)
    assert difference(one, one).quiet


def test_two_suites_are_compared_with_a_remark(tmp_path: Path) -> None:
    """In every format."""
    old, new = _sample(tmp_path)
    found = difference(old, replace(new, header=replace(
        new.header, suite="0.2.0<")))
    for text in (diff_markdown(found), diff_html(found)):
        assert "The suite is another one (0.1.0 → 0.2.0&lt;)" in text
    assert json.loads(diff_json(found))["new"]["suite"] == "0.2.0<"
    assert difference(old, new).remark == ""


def test_the_pages_are_as_they_were(tmp_path: Path) -> None:
    """Markdown, HTML that shows hostile text, JSON."""
    found = difference(*_sample(tmp_path))
    samples.golden("diff.md", diff_markdown(found))
    page = diff_html(found)
    samples.golden("diff.html", page)
    assert "<script" not in page and "<img" not in page
    value = json.loads(diff_json(found))
    assert [g for g, changes in value["groups"].items() if changes] == [
        "regressed", "changed", "capability"]


def _shards(folder: Path, of: int, **more: Any) -> list[Path]:
    cases = samples.good_cases()
    return [
        samples.write_lines(
            folder / f"s{k}.jsonl",
            samples.results_lines(
                "x", "1", cases[k - 1::of],
                command=["conform", "--shard", f"{k}/{of}", "--results",
                         f"r{k}", "--select", "loop"], **more))
        for k in range(1, of + 1)
    ]


def test_shards_become_one_run(tmp_path: Path) -> None:
    label, text = merge_shards(_shards(tmp_path, 3))
    (tmp_path / "all.jsonl").write_text(text)
    whole = read_results(tmp_path / "all.jsonl")
    assert label == "x-1" and whole.complete
    assert set(whole.cases) == {c["id"] for c in samples.good_cases()}
    assert whole.header.command == ("conform", "--select", "loop")
    assert whole.footer.totals == {"pass": 5}


def test_half_a_run_is_refused(tmp_path: Path) -> None:
    """A missing shard, one twice, no shard, another run's, an interrupted
    one."""
    paths = _shards(tmp_path, 3)
    with pytest.raises(ResultsError, match="missing: 2"):
        merge_shards([paths[0], paths[2]])
    with pytest.raises(ResultsError, match="shard 1 of 3 is here twice"):
        merge_shards([*paths, paths[0]])
    other = _shards(tmp_path / "other", 2)
    with pytest.raises(ResultsError, match="number of shards is `2`"):
        merge_shards([paths[0], other[1]])
    suite = _shards(tmp_path / "suite", 3, suite="9.9.9")
    with pytest.raises(ResultsError, match="suite is `9.9.9`"):
        merge_shards([*paths[:2], suite[2]])
    lone = samples.write_results(tmp_path / "lone")
    with pytest.raises(ResultsError, match="was no shard"):
        merge_shards([paths[0], lone[0]])
    cut = samples.write_lines(
        tmp_path / "cut.jsonl", samples.results_lines(
            "x", "1", [], complete=False, command=["c", "--shard", "2/3"]))
    with pytest.raises(ResultsError, match="interrupted"):
        merge_shards([paths[0], cut])


def test_a_case_in_two_shards_is_refused(tmp_path: Path) -> None:
    paths = _shards(tmp_path, 2)
    samples.write_lines(paths[1], samples.results_lines(
        "x", "1", samples.good_cases()[:1],
        command=["conform", "--shard", "2/2", "--results", "r", "--select",
                 "loop"]))
    with pytest.raises(ResultsError, match="is in .*s1.jsonl as well"):
        merge_shards(paths)
