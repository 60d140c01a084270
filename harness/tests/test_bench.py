# SPDX-License-Identifier: MIT
"""Benchmarks' table and the suite's own figures."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import samples
from plumbline.benchmarks import bench_table, run_bench
from plumbline.errors import RunError
from plumbline.figures import FIGURES, Figure, figure_table
from plumbline.measure import read_document
from plumbline.places import Places, find_places

# Lists two benchmarks, or writes the file that it is told to write.
BENCH = """\
#!/bin/sh
for word; do case $word in
  --benchmark_list_tests=true) echo loop/a/impl:ref; echo loop/a/impl:uv
    exit 0 ;;
  --benchmark_out=*) out=${word#--benchmark_out=} ;;
  --benchmark_filter=none) echo "no match" >&2; exit 1 ;;
esac; done
cat >"$out" <<'END'
JSON
END
echo "loop/a/impl:ref 1 ns"
echo "loop/a/impl:uv 2 ns"
"""


def _entry(name: str, ns: float, **more: object) -> dict[str, object]:
    return {"name": name, "run_type": "iteration", "cpu_time": 9.0,
            "real_time": 9.0, "process_cpu_ns": ns, "time_unit": "ns", **more}


VALUE: dict[str, Any] = {"context": {}, "benchmarks": [
    _entry("loop/a/n:1/impl:ref", 50.0),
    _entry("loop/a/n:1/impl:uv", 100.0),
    _entry("loop/b/impl:ref", 1500.0),
    _entry("loop/c/impl:ref", 1.0, error_occurred=True,
           error_message="wrong answer"),
    _entry("loop/c/impl:uv", 2.5e6),
    {**_entry("loop/a/n:1/impl:ref_mean", 50.0), "run_type": "aggregate"},
]}


def test_implementations_stand_side_by_side(tmp_path: Path) -> None:
    """What one lacks is absent, and a failed check is an error."""
    path = tmp_path / "b.json"
    path.write_text(json.dumps(VALUE))
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(
        bench_table(read_document(path)))
    samples.golden("bench.txt", out.getvalue())


@pytest.fixture()
def places(tmp_path: Path) -> Places:
    path = tmp_path / "bench/plumb-bench"
    path.parent.mkdir()
    path.write_text(BENCH.replace("JSON", json.dumps(VALUE)))
    path.chmod(0o755)
    return Places(find_places().root, tmp_path)


def test_the_json_is_kept_and_progress_counts(
    places: Places, tmp_path: Path
) -> None:
    """Up to as many as are listed."""
    seen: list[tuple[int, int | None]] = []
    out = run_bench(places, [Path("a.so")], tmp_path / "o/b.json", None, 0.1,
                    lambda done, total: seen.append((done, total)))
    assert json.loads(out.read_text()) == VALUE
    assert seen == [(1, 2), (2, 2)]
    assert [p.name for p in out.parent.iterdir()] == ["b.json"]


def test_a_failed_benchmark_leaves_no_file(
    places: Places, tmp_path: Path
) -> None:
    """And tells what it said."""
    with pytest.raises(RunError, match="ended with 1: no match"):
        run_bench(places, [], tmp_path / "o/b.json", "none", None,
                  lambda done, total: None)
    assert list((tmp_path / "o").iterdir()) == []


def test_a_figure_says_whether_its_target_is_met(tmp_path: Path) -> None:
    """Met, missed, or not measured; never a traceback."""
    def says(value: float) -> Figure:
        return Figure("x", "< 2 s", lambda places: (value, "so"),
                      lambda v: v < 2, "s")

    def broken(places: Places) -> tuple[float, str]:
        raise RunError("no adapter")

    places = Places(tmp_path, tmp_path)
    figures = [says(1.5), says(2.5),
               Figure("x", "< 2 s", broken, lambda v: v < 2, "s")]
    found = [figure.measure(places) for figure in figures]
    assert [one.met for one in found] == [True, False, None]
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(
        figure_table(found))
    assert "not measured" in out.getvalue()
    assert "no adapter" in out.getvalue()


def test_every_figure_of_the_foundation_is_measured() -> None:
    """The targets that the suite promises."""
    targets = " ".join(figure.target for figure in FIGURES)
    for target in ("150 µs", "400 cases/s", "3,000 cases/s", "50 ms", "15 s",
                   "1 s", "200 ms"):
        assert target in targets
