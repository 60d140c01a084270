# SPDX-License-Identifier: MIT
"""run --update: what holds keeps its words, what is stale goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import samples
import yaml  # type: ignore[import]

from plumbline.errors import ExpectationsError
from plumbline.expectations import TO_EXPLAIN, update
from plumbline.results import Results, read_results

IO = "loop/check/immediate-before-timeout-inside-io"
MAIN = "loop/check/unordered-from-main"
SAME = "loop/timers/same-duration"

# MAIN fails and is known, IO fails and is new, SAME passes but is listed.
BEFORE = f"""\
# SPDX-License-Identifier: MIT
# What node does otherwise.
expectations:
  # A remark that belongs to the first.
  - case: {MAIN}
    reason: never lets the timer win   # as ever
    link: https://example.org/1
  - {{case: {SAME}, verdict: crash, reason: gone in 21}}
  - case: loop/other/*
    reason: not selected here
"""


def _results(
    tmp_path: Path, version: str, verdicts: dict[str, str]
) -> Results:
    cases = []
    for name, verdict in verdicts.items():
        case = samples.result(name, verdict)
        case["unexpected"] = verdict not in ("pass", "unsupported")
        cases.append(case)
    lines = samples.results_lines("node", version, cases)
    return read_results(
        samples.write_lines(tmp_path / f"node-{version}.jsonl", lines)
    )


def _entries(path: Path) -> list[dict[str, Any]]:
    value = yaml.safe_load(path.read_text())["expectations"]
    assert isinstance(value, list)
    return value


def test_what_holds_keeps_its_text_to_the_letter(tmp_path: Path) -> None:
    """Comments and layout are people's."""
    path = tmp_path / "node.yaml"
    path.write_text(BEFORE)
    results = _results(tmp_path, "20.20.2",
                       {MAIN: "fail", IO: "fail", SAME: "pass"})
    change = update(tmp_path, [results])
    assert (change.kept, change.added, change.dropped) == (2, (IO,), (SAME,))
    text = path.read_text()
    kept = BEFORE.replace(
        f"  - {{case: {SAME}, verdict: crash, reason: gone in 21}}\n", "")
    assert text.startswith(kept)
    assert text[len(kept):] == (
        f"  - case: {IO}\n    verdict: fail\n    reason: {TO_EXPLAIN}\n"
    )


def test_nothing_to_change_touches_nothing(tmp_path: Path) -> None:
    """Not even the file's time."""
    path = tmp_path / "node.yaml"
    path.write_text(BEFORE)
    before = path.stat().st_mtime_ns
    update(tmp_path, [_results(tmp_path, "20.20.2", {MAIN: "fail"})])
    assert path.stat().st_mtime_ns == before
    assert path.read_text() == BEFORE


def test_a_first_failure_makes_the_file(tmp_path: Path) -> None:
    """With a head that says what it is."""
    update(tmp_path, [_results(tmp_path, "1", {IO: "timeout"})])
    path = tmp_path / "node.yaml"
    assert _entries(path) == [
        {"case": IO, "verdict": "timeout", "reason": TO_EXPLAIN}
    ]
    assert path.read_text().startswith("# SPDX-License-Identifier: MIT\n")


def test_the_last_stale_entry_leaves_an_empty_list(tmp_path: Path) -> None:
    """Which is still valid YAML."""
    path = tmp_path / "node.yaml"
    path.write_text(f"expectations:\n  - case: {IO}\n    reason: x\n")
    update(tmp_path, [_results(tmp_path, "1", {IO: "pass"})])
    assert _entries(path) == []


def test_a_glob_that_holds_in_part_is_split(tmp_path: Path) -> None:
    """The failing case keeps the reason, the passing one is gone."""
    path = tmp_path / "node.yaml"
    path.write_text("expectations:\n  - case: loop/check/*\n"
                    "    reason: an old one\n    link: l\n")
    update(tmp_path, [_results(tmp_path, "1", {IO: "fail", MAIN: "pass"})])
    assert _entries(path) == [
        {"case": IO, "verdict": "fail", "reason": "an old one", "link": "l"}
    ]


def test_versions_are_told_apart(tmp_path: Path) -> None:
    """An entry that holds on 12 only is narrowed to it, and what fails on
    one version only is new for that one."""
    path = tmp_path / "node.yaml"
    path.write_text(f"expectations:\n  - case: {IO}\n    reason: old\n")
    update(tmp_path, [
        _results(tmp_path, "12.8.1", {IO: "fail", SAME: "fail"}),
        _results(tmp_path, "20.20.2", {IO: "pass", SAME: "pass"}),
    ])
    assert _entries(path) == [
        {"case": IO, "verdict": "fail", "versions": ["12.8.1"],
         "reason": "old"},
        {"case": SAME, "verdict": "fail", "versions": ["12.8.1"],
         "reason": TO_EXPLAIN},
    ]


def test_an_entry_of_another_version_stays(tmp_path: Path) -> None:
    """These results say nothing about it."""
    path = tmp_path / "node.yaml"
    text = (f"expectations:\n  - case: {IO}\n    versions: ['12']\n"
            "    reason: old\n")
    path.write_text(text)
    update(tmp_path, [_results(tmp_path, "20.20.2", {IO: "pass"})])
    assert path.read_text() == text


def test_unsupported_says_nothing(tmp_path: Path) -> None:
    """An entry is not stale because the case could not be run."""
    path = tmp_path / "node.yaml"
    text = f"expectations:\n  - case: {IO}\n    reason: old\n"
    path.write_text(text)
    update(tmp_path, [_results(tmp_path, "1", {IO: "unsupported"})])
    assert path.read_text() == text


def test_a_race_that_may_do_both_holds_either_way(tmp_path: Path) -> None:
    """verdict: [fail, pass]."""
    path = tmp_path / "node.yaml"
    text = (f"expectations:\n  - case: {IO}\n    verdict: [fail, pass]\n"
            "    reason: a race\n")
    path.write_text(text)
    for verdict in ("pass", "fail"):
        update(tmp_path, [_results(tmp_path, "1", {IO: verdict})])
        assert path.read_text() == text


@pytest.mark.parametrize("text", [
    "expectations: {a: 1}\n", "expectations:\n  - 7\n", "expectations: [\n",
    "expectations:\n  - reason: no case\n",
])
def test_a_broken_file_is_told_and_kept(tmp_path: Path, text: str) -> None:
    """It is never overwritten with less."""
    path = tmp_path / "node.yaml"
    path.write_text(text)
    with pytest.raises(ExpectationsError):
        update(tmp_path, [_results(tmp_path, "1", {IO: "fail"})])
    assert path.read_text() == text
