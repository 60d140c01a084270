# SPDX-License-Identifier: MIT
"""Two files: verdicts, exit statuses, foreign files, what cannot be
compared."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import main
from plumbline.compare import compare
from plumbline.measure import read_document
from plumbline.verdicts import judge, status_of
from plumbline.stats import paired_shift


def _entry(name: str, time: float, index: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "run_type": "iteration", "repetitions": 9,
            "repetition_index": index, "iterations": 10, "real_time": time,
            "cpu_time": time, "time_unit": "us", **more}


def _write(path: Path, table: dict[str, float], seed: int = 1,
           noise: float = 0.01, repetitions: int = 9, **more: Any) -> Path:
    source = random.Random(seed)
    path.write_text(json.dumps({"context": {"date": "2026-01-01"},
                                "benchmarks": [
        _entry(name, time * (1 + source.gauss(0, noise)), index, **more)
        for name, time in table.items() for index in range(repetitions)
    ]}))
    return path


@pytest.fixture()
def base(tmp_path: Path) -> Path:
    return _write(tmp_path / "a.json", {"BM_x": 10.0, "BM_y/8": 20.0})


@pytest.mark.parametrize("factor, verdict, status", [
    (1.0, "SAME", 0), (1.1, "REGRESSED", 3), (0.9, "IMPROVED", 0),
])
def test_a_foreign_file_gets_a_verdict(
    tmp_path: Path, base: Path, factor: float, verdict: str, status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And the command an exit status."""
    after = _write(tmp_path / "b.json",
                   {"BM_x": 10.0 * factor, "BM_y/8": 20.0}, seed=2)
    assert main(["compare", str(base), str(after)]) == status
    out = capsys.readouterr().out
    line = next(x for x in out.splitlines() if x.startswith("BM_x"))
    assert line.rstrip().endswith(verdict)


def test_what_cannot_be_told_is_status_4_under_strict_only(
    tmp_path: Path, base: Path
) -> None:
    """Noise is an answer, not a pass."""
    after = _write(tmp_path / "b.json", {"BM_x": 10.5, "BM_y/8": 20.0},
                   seed=3, noise=0.2)
    assert main(["compare", str(base), str(after)]) == 0
    assert main(["compare", str(base), str(after), "--strict"]) == 4


def test_few_repetitions_have_no_bounds_and_no_verdict(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However large the difference."""
    after = _write(tmp_path / "b.json", {"BM_x": 99.0}, repetitions=1)
    assert main(["compare", str(base), str(after)]) == 0
    out = capsys.readouterr().out
    assert "INCONCLUSIVE" in out and "[?, ?]" in out
    assert "1 repetition(s) only" in out
    assert "only in the first: BM_y/8" in out


def test_files_without_a_common_benchmark_prove_nothing(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 5, and both are named."""
    after = _write(tmp_path / "b.json", {"BM_z": 1.0})
    assert main(["compare", str(base), str(after)]) == 5
    said = capsys.readouterr().err
    assert "no benchmark in common" in said and "BM_z" in said


def test_other_versions_of_a_workload_do_not_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named; where nothing else is there, status 5."""
    early = _write(tmp_path / "a.json", {"x": 1.0}, version=1)
    late = _write(tmp_path / "b.json", {"x": 2.0}, version=2)
    assert main(["compare", str(early), str(late)]) == 5
    assert "version 1 and 2" in capsys.readouterr().err


@pytest.mark.parametrize("broken, status", [
    ("", 5), ('{"benchmarks": [', 5), (None, 2)])
def test_broken_files_have_their_statuses(
    tmp_path: Path, base: Path, broken: str | None, status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A truncated one proves nothing, a missing one is a mistake."""
    path = tmp_path / "broken.json"
    if broken is not None:
        path.write_text(broken)
    assert main(["compare", str(base), str(path)]) == status
    assert "broken.json" in capsys.readouterr().err


def test_a_failed_benchmark_is_named_and_the_others_compared(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No right answer, no time."""
    after = _write(tmp_path / "b.json", {"BM_x": 10.0, "BM_y/8": 20.0})
    value = json.loads(after.read_text())
    for entry in value["benchmarks"]:
        if entry["name"] == "BM_x":
            entry.update(error_occurred=True, error_message="wrong sum")
    after.write_text(json.dumps(value))
    assert main(["compare", str(base), str(after)]) == 0
    out = capsys.readouterr().out
    assert "failed in the second: wrong sum" in out and "SAME" in out


def test_two_implementations_of_one_file_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --from and --to, which belong together."""
    path = _write(tmp_path / "a.json", {"x/impl:uv": 10.0, "x/impl:ref": 5.0})
    words = ["compare", str(path), str(path), "--from", "uv"]
    assert main([*words, "--to", "ref"]) == 0
    assert "IMPROVED" in capsys.readouterr().out
    assert main(words) == 2
    assert main([*words, "--to", "none"]) == 2
    assert main(["compare", str(path), str(path), "--filter", "zz"]) == 2
    assert main(["compare", str(path), str(path), "--filter", "("]) == 2


def test_the_comparison_is_written_as_json(
    tmp_path: Path, base: Path
) -> None:
    """A bound that there is not is null."""
    after = _write(tmp_path / "b.json", {"BM_x": 11.0}, repetitions=2)
    assert main(["compare", str(base), str(after), "--json",
                 str(tmp_path / "c.json")]) == 0
    line, = json.loads((tmp_path / "c.json").read_text())["lines"]
    assert line["change"]["lower"] is None
    assert line["change"]["verdict"] == "INCONCLUSIVE"


def test_noise_that_a_file_tells_widens_the_margin(
    tmp_path: Path, base: Path
) -> None:
    """+6% is no regression where equal things lay 10% apart."""
    after = _write(tmp_path / "b.json", {"BM_x": 10.6, "BM_y/8": 20.0})
    first, second = read_document(base), read_document(after)
    assert "REGRESSED" in compare(first, second).verdicts
    value = json.loads(after.read_text())
    value["plumbline"] = {"noise": {"aa_spread": 0.1}, "machine": {"cpu": "x"}}
    after.write_text(json.dumps(value))
    assert "REGRESSED" not in compare(first, read_document(after)).verdicts


@pytest.mark.parametrize("values, verdict", [
    ([0.10] * 10, "REGRESSED"), ([-0.10] * 10, "IMPROVED"),
    ([0.01, -0.01] * 5, "SAME"), ([0.2, -0.2] * 5, "INCONCLUSIVE"),
    ([0.5] * 6, "INCONCLUSIVE"), ([0.04] * 10, "REGRESSED"),
])
def test_the_rule_of_verdicts(values: list[float], verdict: str) -> None:
    """Bounds against the margin; without bounds, none."""
    assert judge(paired_shift(values)).verdict == verdict


def test_statuses_of_verdicts() -> None:
    """One regression outweighs everything."""
    assert status_of(["SAME", "REGRESSED", "INCONCLUSIVE"], True) == 3
    assert status_of(["SAME", "INCONCLUSIVE"], True) == 4
    assert status_of(["SAME", "INCONCLUSIVE"], False) == 0
    assert status_of([], True) == 0
