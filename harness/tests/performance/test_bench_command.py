# SPDX-License-Identifier: MIT
"""`plumbline bench` from the command line to the file, over a fake
plumb-bench."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fakes import Library, bench, library

from plumbline.cli import main

__all__ = ["bench", "library"]

TIMES = {"a/n:1": 100.0, "a/n:10": 200.0, "b": 7.0}


@pytest.fixture()
def build(
    tmp_path: Path, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A build folder whose plumb-bench is the fake one."""
    folder = tmp_path / "build"
    for name in ("bench", "ref"):
        (folder / name).mkdir(parents=True)
    shutil.copy(bench, folder / "bench/plumb-bench")
    monkeypatch.setenv("PLUMBLINE_BUILD", str(folder))
    return folder


def _ref(build: Path, library: Library, **more: object) -> None:
    made = library("made", TIMES, impl="ref", **more)
    made.rename(build / "ref/libplumb-ref.so")


def _bench(tmp_path: Path, *words: str) -> int:
    return main(["bench", "ref", "--no-history", "--out",
                 str(tmp_path / "out"), *words])


def _file(tmp_path: Path, name: str = "ref") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(
        (tmp_path / f"out/{name}.json").read_text())
    return value


def test_what_was_measured_is_shown_and_written(
    tmp_path: Path, build: Path, library: Library,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the machine, the noise and the command."""
    _ref(build, library, counters={"b": {"syscalls": 2}})
    assert _bench(tmp_path, "--rounds", "2") == 0
    shown = capsys.readouterr().out
    assert "100 ns" in shown and "7 ns     2" in shown and "noise:" in shown
    value = _file(tmp_path)
    assert [e["name"] for e in value["benchmarks"]] == [
        f"{name}/impl:ref" for name in TIMES for _ in range(2)]
    assert set(value["plumbline"]) >= {"machine", "noise", "command",
                                       "fingerprint", "series"}


def test_quick_takes_the_first_size_of_each(
    tmp_path: Path, build: Path, library: Library
) -> None:
    """So that all areas fit into a minute."""
    _ref(build, library)
    assert _bench(tmp_path, "--quick", "--rounds", "1") == 0
    assert {e["name"] for e in _file(tmp_path)["benchmarks"]} == {
        "a/n:1/impl:ref", "b/impl:ref"}


def test_a_crash_is_named_and_the_rest_written(
    tmp_path: Path, build: Path, library: Library,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 1; the file says so, too."""
    _ref(build, library, crash={"a/n:10": 3})
    assert _bench(tmp_path, "--rounds", "3") == 1
    assert "a/n:10 on ref ended its process by SIGSEGV" in (
        capsys.readouterr().out)
    value = _file(tmp_path)
    names = [e["name"] for e in value["benchmarks"]]
    assert names.count("a/n:10/impl:ref") == 1
    assert names.count("b/impl:ref") == 3
    assert len(value["plumbline"]["crashed"]) == 1


def test_two_libraries_are_held_against_each_other(
    tmp_path: Path, build: Path, library: Library,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One of the user's own stands beside the reference."""
    _ref(build, library)
    mine = library("mine", {k: 2 * v for k, v in TIMES.items()})
    assert _bench(tmp_path, "--rounds", "1", "--provider", str(mine)) == 0
    assert "0.50 ×" in capsys.readouterr().out
    assert len(_file(tmp_path, "ref-mine")["benchmarks"]) == 6


@pytest.mark.parametrize("words, why", [
    (["--filter", "nosuch"], "no benchmark matches"),
    (["--filter", "("], "regular expression"),
    (["--suite", "--quick"], "--suite stands alone"),
])
def test_what_selects_nothing_is_refused(
    tmp_path: Path, build: Path, library: Library, words: list[str],
    why: str, capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 2, and no file."""
    _ref(build, library)
    assert _bench(tmp_path, *words) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_keeps_its_rounds(
    tmp_path: Path, build: Path, library: Library,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 130, and the file says that it is not all."""
    _ref(build, library)
    from plumbline.measure import _rounds

    true, calls = _rounds.run_surviving, iter(range(100))

    def stop(*words: Any, **more: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return true(*words, **more)

    monkeypatch.setattr(_rounds, "run_surviving", stop)
    assert _bench(tmp_path, "--rounds", "5") == 130
    value = _file(tmp_path)
    assert len(value["benchmarks"]) == 6
    assert value["context"]["interrupted"] == "true"
    assert "these are the rounds so far" in capsys.readouterr().out
