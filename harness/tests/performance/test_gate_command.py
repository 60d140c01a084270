# SPDX-License-Identifier: MIT
"""`plumbline gate` from the command line to the status, over a fake
plumb-bench and arms that need no build."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import Library, bench, library

from plumbline.cli import main
from plumbline.errors import MeasurementError
from plumbline.gate import Arm, Arms
from plumbline.measure import Crash, Planned, Record
from plumbline.measure._programs import in_session

__all__ = ["bench", "library"]

TIMES = {"a/n:1": 100.0, "a/n:2": 50.0, "b": 7.0}

Gated = Callable[..., tuple[int, dict[str, Any]]]


def _arms(base: Path, here: Path) -> Arms:
    return Arms([base], [here], "main", "a" * 40, "b" * 40, False)


@pytest.fixture()
def gated(
    tmp_path: Path, bench: Path, library: Library,
    monkeypatch: pytest.MonkeyPatch,
) -> Gated:
    """Runs `gate` of two libraries: (status, its file). What `measured` gives
    stands for a process of the time lane."""
    folder = tmp_path / "build/bench"
    folder.mkdir(parents=True)
    (folder / "plumb-bench").symlink_to(bench)
    monkeypatch.setenv("PLUMBLINE_BUILD", str(folder.parent))

    def run(
        *words: str, base: dict[str, Any] | None = None,
        here: dict[str, Any] | None = None,
        measured: Callable[[Arm, Planned], float | str | None] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        arms = _arms(
            library("base", **{"times": TIMES, "impl": "ref", **(base or {})}),
            library("here", **{"times": TIMES, "impl": "ref", **(here or {})}))
        monkeypatch.setattr("plumbline.gate.build_arms",
                            lambda *_, **__: arms)
        if measured is not None:
            monkeypatch.setattr("plumbline.commands.gate.time_runner",
                                lambda *_: _runner(measured))
        status = main(["gate", "main", "--lane", "time", "--no-cases",
                       "--filter", "^[ab]", "--out", str(tmp_path / "out"),
                       *words])
        files = list((tmp_path / "out").glob("*.json"))
        return status, json.loads(files[0].read_text()) if files else {}

    return run


def _runner(measured: Callable[[Arm, Planned], float | str | None]) -> Any:
    def run(
        arm: Arm, plan: Sequence[Planned]
    ) -> tuple[list[Record], list[Crash]]:
        records, crashes = [], []
        for one in plan:
            found = measured(arm, one)
            if found is None:
                crashes.append(Crash(one.name, "ref", "ended by SIGSEGV"))
                continue
            error = found if isinstance(found, str) else None
            cpu = [] if isinstance(found, str) else [
                found * (1 + arm.extra / 100)]
            records.append(Record(one.name, "ref", 1, 1, 1, cpu, cpu, {}, (),
                                  0, 0, error))
        return records, crashes

    return run


def test_what_is_as_fast_as_the_base_passes(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0, and a whole file."""
    status, value = gated(measured=lambda arm, one: TIMES[one.name])
    assert status == 0, capsys.readouterr().out
    assert value["complete"] and value["status"] == 0
    assert {t["name"] for t in value["time"]} == set(TIMES)


def test_what_is_slower_fails(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 3, and the benchmark's name."""
    status, value = gated(measured=lambda arm, one: TIMES[one.name] * (
        1.1 if arm.name == "B" and one.name == "b" else 1))
    assert status == 3 and value["status"] == 3
    assert "slower than the base: 1 REGRESSED" in capsys.readouterr().out
    assert {t["name"]: t["change"]["verdict"] for t in value["time"]} == {
        "a/n:1": "SAME", "a/n:2": "SAME", "b": "REGRESSED"}


def test_what_the_base_cannot_do_is_named_and_not_measured(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new benchmark is no reason to measure nothing."""
    old = {name: time for name, time in TIMES.items() if name != "b"}
    status, value = gated(base={"times": old},
                          measured=lambda arm, one: TIMES[one.name])
    assert status == 0
    assert {t["name"] for t in value["time"]} == set(old)
    assert ("what is new is not measured: the base cannot do b"
            in capsys.readouterr().out)


def test_a_crash_in_the_third_block_is_no_verdict_and_loses_nothing(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 5; the others' results are in the file."""
    seen = {"b": 0}

    def measured(arm: Arm, one: Planned) -> float | None:
        if arm.name == "B" and one.name == "b":
            seen["b"] += 1
            if seen["b"] == 5:  # twice a block
                return None
        return TIMES[one.name]

    status, value = gated(measured=measured)
    assert status == 5 and value["complete"] and value["status"] == 5
    assert "b: B ended by SIGSEGV in block 3" in capsys.readouterr().out
    found = {t["name"]: t["change"] for t in value["time"]}
    assert found["b"] is None
    assert found["a/n:1"]["verdict"] == found["a/n:2"]["verdict"] == "SAME"


def test_a_check_that_fails_is_no_verdict(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 5, whatever the others took."""
    status, _ = gated(measured=lambda arm, one: "wrong sum" if (
        arm.name == "B" and one.name == "b") else TIMES[one.name])
    assert status == 5
    assert "b: B: wrong sum in block 1" in capsys.readouterr().out


@pytest.mark.parametrize("base, why", [
    ({"error": {"b": "wrong sum"}}, "base: b: wrong sum"),
    ({"crash": {"b": 1}}, "base: b on ref ended its process by SIGSEGV"),
])
def test_a_base_that_cannot_be_measured_is_named(
    gated: Gated, capsys: pytest.CaptureFixture[str], base: dict[str, Any],
    why: str,
) -> None:
    """Status 5, and the rest is measured."""
    status, value = gated(base=base,
                          measured=lambda arm, one: TIMES[one.name])
    assert status == 5
    assert why in " ".join(capsys.readouterr().out.split())
    assert {t["name"] for t in value["time"]} == {"a/n:1", "a/n:2"}


def test_a_clock_that_goes_backwards_is_no_measurement(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 5, from the first process on; it is in the file."""
    status, value = gated(base={"negative": ["b"]})
    assert status == 5 and value["complete"] is False
    assert "b/impl:ref: the clock went backwards" in capsys.readouterr().out


def test_a_process_that_fails_late_loses_nothing(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the second stage: the verdicts of the first are in the file."""
    seen = {"processes": 0}

    def measured(arm: Arm, one: Planned) -> float:
        seen["processes"] += one.name == "b"
        if seen["processes"] == 70:
            raise MeasurementError("the clock went backwards", place="b")
        return TIMES[one.name] * (1.1 if (
            arm.name == "B" and one.name == "b") else 1)

    status, value = gated(measured=measured)
    assert status == 5 and value["complete"] is False
    assert value["blocks"] == 8
    found = {t["name"]: t["change"]["verdict"] for t in value["time"]}
    assert found == {"a/n:1": "SAME", "a/n:2": "SAME", "b": "REGRESSED"}
    assert "b: the clock went backwards" in capsys.readouterr().out


@pytest.mark.parametrize("words, why", [
    (["--filter", "nosuch"], "no benchmark matches 'nosuch'"),
    (["--filter", "("], "this is no regular expression"),
])
def test_zero_benchmarks_are_a_mistake(
    gated: Gated, capsys: pytest.CaptureFixture[str], words: list[str],
    why: str,
) -> None:
    """Status 2, and no file."""
    status, value = gated(*words)
    assert status == 2 and value == {}
    assert why in capsys.readouterr().err


def test_a_base_that_does_not_build_is_no_measurement(
    gated: Gated, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    """Status 5, with what the compiler said."""
    gated(measured=lambda arm, one: TIMES[one.name])

    def broken(*_: object, **__: object) -> Arms:
        raise MeasurementError("the base cannot be built: expected ';'")

    monkeypatch.setattr("plumbline.gate.build_arms", broken)
    assert main(["gate", "main", "--lane", "time"]) == 5
    assert "the base cannot be built: expected ';'" in capsys.readouterr().err


# -- Ctrl-C -----------------------------------------------------------------

DRIVER = """\
import sys
from pathlib import Path
import plumbline.gate
from plumbline.cli import main
from plumbline.gate import Arms
base, here, out = sys.argv[1:]
plumbline.gate.build_arms = lambda *_, **__: Arms(
    [Path(base)], [Path(here)], "main", "a" * 40, "b" * 40, False)
sys.exit(main(["gate", "main", "--lane", "time", "--no-cases", "--filter",
               "^[ab]", "--out", out]))
"""


def _session(leader: int) -> list[int]:
    """The processes of a session that have not ended."""
    return [pid for pid, fields in in_session(leader) if fields[0] != "Z"]


def _until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def test_ctrl_c_ends_everything_and_keeps_what_was_measured(
    tmp_path: Path, bench: Path, library: Library
) -> None:
    """In the second stage, the verdicts of the first are in the file; the
    status is 130, and no process is left."""
    folder = tmp_path / "build/bench"
    folder.mkdir(parents=True)
    (folder / "plumb-bench").symlink_to(bench)
    base = library("base", TIMES, impl="ref")
    here = library("here", {**TIMES, "b": 9.0}, impl="ref")
    ran = here.with_suffix(".b.count")
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(base), str(here),
         str(tmp_path / "out")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT,
                                         signal.default_int_handler),
        env={**os.environ, "PLUMBLINE_BUILD": str(folder.parent),
             "PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        # Two processes of here in each block: the tenth block is the second
        # stage's.
        _until(lambda: ran.exists() and int(ran.read_text() or 0) >= 19,
               process)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 130, (out, err)
    assert "interrupted: these are the results so far" in out
    assert "Traceback" not in err
    assert _session(process.pid) == []
    file, = (tmp_path / "out").glob("*.json")
    value = json.loads(file.read_text())
    assert value["complete"] is False
    found = {t["name"]: t["change"]["verdict"] for t in value["time"]}
    assert found == {"a/n:1": "SAME", "a/n:2": "SAME", "b": "REGRESSED"}
