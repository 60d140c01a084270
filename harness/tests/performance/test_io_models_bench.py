# SPDX-License-Identifier: MIT
"""`bench --io-models`: what the program prints becomes a table and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import fake_app

from plumbline.commands.bench import command
from plumbline.errors import RunError
from plumbline.io_models import measure_io_models
from plumbline.report.performance._sizes import throughputs

MODELS = ["blocking", "nonblocking", "multiplexing", "signal", "asynchronous"]


def _entry(load: str, n: int, model: str) -> dict[str, Any]:
    return {
        "name": f"io-models/messages/{load}/n:{n}/impl:{model}",
        "run_type": "iteration", "repetitions": 3, "iterations": 2000,
        "real_time": 900.0, "cpu_time": 500.0 + n, "time_unit": "ns",
        "label": "epoll", "digest": "0a", "syscalls": 1.5,
    }


def _answer() -> str:
    return json.dumps({"context": {"num_cpus": 2}, "benchmarks": [
        _entry(load, n, model)
        for load in ("busy", "sparse") for n in (1, 10) for model in MODELS
    ] + [{"name": f"io-models/messages/busy/n:100/impl:{model}",
          "run_type": "iteration", "error_occurred": True,
          "error_message": "needs 164 descriptors"} for model in MODELS]})


def test_five_models_stand_side_by_side_in_one_picture(tmp_path: Path) -> None:
    """Each as an implementation does; a size that did not fit says why."""
    places = fake_app(tmp_path, "io-models", _answer())
    document = measure_io_models(places, True, tmp_path / "out")
    assert document.path == tmp_path / "out" / "io-models.json"
    assert {s.implementation for s in document.series.values()} == set(MODELS)
    said = (tmp_path / "ref/apps/io-models/words").read_text().split()
    assert said == ["--bench", "--json", "--quick"]
    large = document.series["io-models/messages/busy/n:100/impl:signal"]
    assert large.error == "needs 164 descriptors"
    figure, = throughputs([document], "another one")
    assert figure.command == "plumbline bench --io-models --quick"
    panels = {panel["benchmark"]: panel["points"] for panel in figure.data}
    assert set(panels) == {"io-models/messages/busy",
                           "io-models/messages/sparse"}
    for points in panels.values():
        assert list(points) == MODELS
        assert points["signal"] == [(1, 1e9 / 501), (10, 1e9 / 510)]


@pytest.mark.parametrize("prints, status, why", [
    (_answer(), 1, "trouble"),
    ("no JSON", 0, "no JSON"),
    ("[]", 0, "no JSON"),
])
def test_a_program_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, prints: str, status: int, why: str
) -> None:
    """Whatever it printed before."""
    places = fake_app(tmp_path, "io-models", prints, status)
    with pytest.raises(RunError, match=why):
        measure_io_models(places, False, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_models_are_measured_alone() -> None:
    """No implementation takes part in them."""
    for words in (["ref"], ["--filter", "x"], ["--ratios"], ["--rounds", "3"]):
        result = CliRunner().invoke(command, ["--io-models", *words])
        assert "--io-models goes with" in str(result.exception), words
