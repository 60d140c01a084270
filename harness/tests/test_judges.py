# SPDX-License-Identifier: MIT
"""Several implementations at a time: as if it had been one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import samples

from plumbline import judges as module
from plumbline.errors import Interrupted, RunError
from plumbline.judge import Outcome, Request
from plumbline.judges import judge_all
from plumbline.places import Places, find_places
from plumbline.registry import Target
from plumbline.results import read_results

HARNESS = Path(__file__).parents[1]
NAMES = ["one", "two", "three", "four", "five"]


@pytest.fixture()
def places(tmp_path: Path) -> Places:
    return Places(find_places().root, samples.write_build(tmp_path / "build"))


def _targets(names: list[str]) -> list[Target]:
    return [Target(name, name) for name in names]


def _all(
    places: Places, folder: Path, names: list[str], jobs: int
) -> list[Outcome]:
    return judge_all(places, _targets(names), Request(), folder,
                     lambda title: lambda done, total: None, jobs)


class _Judge:
    """Stands for judge(): what each target does is a function of its name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.asked: list[str] = []

    def act(self, name: str, cancelled: Any) -> bool:
        """Whether it is interrupted."""
        return False

    def __call__(
        self, places: Places, target: Target, request: Request, folder: Path,
        progress: Any, cancelled: Any,
    ) -> Outcome:
        with self.lock:
            self.asked.append(target.name)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            interrupted = self.act(target.name, cancelled)
        finally:
            with self.lock:
                self.now -= 1
        return Outcome(target, 130 if interrupted else 0, None, "",
                       interrupted)


def test_they_run_at_the_same_time_and_come_back_in_order(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first can only be done after the second has begun, and the second
    is done first."""
    second_done = threading.Event()

    class Judge(_Judge):
        def act(self, name: str, cancelled: Any) -> bool:
            if name == "one":
                assert second_done.wait(120)
            elif name == "two":
                second_done.set()
            return False

    monkeypatch.setattr(module, "judge", Judge())
    ends = _all(places, tmp_path / "r", NAMES, 2)
    assert [end.target.name for end in ends] == NAMES


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_never_more_at_a_time_than_asked_for(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """And each of them once."""

    class Judge(_Judge):
        def act(self, name: str, cancelled: Any) -> bool:
            time.sleep(0.02)
            return False

    fake = Judge()
    monkeypatch.setattr(module, "judge", fake)
    assert len(_all(places, tmp_path / "r", NAMES, jobs)) == len(NAMES)
    assert fake.most <= jobs
    assert sorted(fake.asked) == sorted(NAMES)


def test_two_at_a_time_where_there_are_processors_for_two(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless told otherwise."""
    for processors, jobs in ((1, 1), (2, 2), (64, 2)):
        monkeypatch.setattr(os, "sched_getaffinity",
                            lambda pid, n=processors: set(range(n)))
        assert module.default_jobs() == jobs


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_fails_does_not_stop_the_others(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """It becomes an outcome with the reason; where all fail, it is told."""
    bad = {"two"}

    class Judge(_Judge):
        def act(self, name: str, cancelled: Any) -> bool:
            if name in bad:
                raise RunError(f"no judge for {name}")
            return False

    monkeypatch.setattr(module, "judge", Judge())
    ends = _all(places, tmp_path / "r", NAMES, jobs)
    assert [end.target.name for end in ends] == NAMES
    assert [end.status for end in ends] == [0, 2, 0, 0, 0]
    assert ends[1].message == "no judge for two"
    bad.update(NAMES)
    with pytest.raises(RunError, match="no judge for one"):
        _all(places, tmp_path / "r", NAMES, jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_is_interrupted_interrupts_all(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """Those that run are told; those whose turn has not come are left out."""

    class Judge(_Judge):
        def act(self, name: str, cancelled: Any) -> bool:
            if name == "one":
                return True
            deadline = time.monotonic() + 120
            while not cancelled() and time.monotonic() < deadline:
                time.sleep(0.01)
            return bool(cancelled())

    monkeypatch.setattr(module, "judge", Judge())
    ends = _all(places, tmp_path / "r", NAMES, jobs)
    assert all(end.interrupted for end in ends)
    assert [end.target.name for end in ends] == NAMES[:len(ends)]
    assert 1 <= len(ends) <= jobs


def test_a_list_that_is_cut_short_is_never_taken_for_a_whole_one(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, and those that ran were just done."""

    class Judge(_Judge):
        def act(self, name: str, cancelled: Any) -> bool:
            if name == "one":
                os.kill(os.getpid(), signal.SIGINT)
            deadline = time.monotonic() + 120
            while not cancelled() and time.monotonic() < deadline:
                time.sleep(0.01)
            return False

    monkeypatch.setattr(module, "judge", Judge())
    with pytest.raises(Interrupted):
        _all(places, tmp_path / "r", NAMES, 2)


def _environment(places: Places, home: Path, mode: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(HARNESS),
        "PLUMBLINE_BUILD": str(places.build), "HOME": str(home),
        "PLUMBLINE_OUT": str(home / "out"),
        "LANG": "C.UTF-8", "FAKE_CONFORM": mode,
    }


def _run(*words: str) -> list[str]:
    return [sys.executable, "-m", "plumbline.cli", "run", "ref", "libuv",
            *words]


@pytest.mark.parametrize("mode", ["good", "bad", "nothing", "deaf-libuv"])
def test_what_is_told_and_kept_is_the_same(
    places: Places, tmp_path: Path, mode: str
) -> None:
    """The same words, status and files, but for the time it took."""
    told: list[tuple[int, list[str], str, dict[str, bytes]]] = []
    for jobs in ("1", "2"):
        folder = tmp_path / f"jobs-{jobs}"
        folder.mkdir()
        done = subprocess.run(
            _run("--jobs", jobs, "--out", "o"), cwd=folder, text=True,
            env=_environment(places, tmp_path, mode), capture_output=True,
            timeout=300,
        )
        told.append((
            done.returncode,
            [line for line in done.stdout.splitlines()
             if not line.endswith(" s")],
            done.stderr,
            {p.name: p.read_bytes() for p in folder.glob("o/results/*")},
        ))
    assert told[0] == told[1]
    assert told[0][1]


def test_ctrl_c_ends_all_judges_and_marks_what_each_has_left(
    places: Places, tmp_path: Path
) -> None:
    """Status 130, a partial file of each, no process."""
    process = subprocess.Popen(
        _run("--jobs", "2", "--out", "o"), cwd=tmp_path, text=True,
        env=_environment(places, tmp_path, "held"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )
    folder = tmp_path / "o/results"
    while samples.held_judges(folder) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted in ref" in err and "interrupted in libuv" in err
    left = subprocess.run(["ps", "-o", "args=", "-s", str(process.pid)],
                          capture_output=True, text=True)
    assert left.stdout == ""
    paths = sorted(folder.iterdir())
    assert [path.name for path in paths] == [
        "libuv-0.1.0.partial.jsonl", "ref-0.1.0.partial.jsonl"
    ]
    assert not any(read_results(path).complete for path in paths)
