# SPDX-License-Identifier: MIT
"""The pytest plugin, in a checkout of its own and with a made-up judge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import samples

from plumbline.places import find_places

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture()
def run(tmp_path: Path) -> Run:
    """pytest in a small checkout: the package, empty case files, a build."""
    real = find_places().root
    root = tmp_path / "checkout"
    shutil.copytree(real / "harness/plumbline", root / "harness/plumbline",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "tox.ini",
                 "conformance/implementations.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(real / name, root / name)
    for case in samples.CASES:
        path = root / case["source"]["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    build = samples.write_build(root / "build")

    def pytest_(*words: str, **more: str
                ) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "PLUMBLINE_BUILD": str(build),
               "FAKE_CONFORM_LOG": str(tmp_path / "log"), **more}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
             *words],
            cwd=root, env=env, capture_output=True, text=True, timeout=300,
        )

    return pytest_


def _selected(tmp_path: Path) -> list[list[str]]:
    """What each run of the judge was asked for."""
    path = tmp_path / "log"
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        [b for a, b in zip(words, words[1:]) if a == "--select"]
        for words in runs
    ]


def test_a_folder_gives_an_item_per_case(run: Run, tmp_path: Path) -> None:
    """And one run of the judge for all of them."""
    done = run("--plumb-impl", "ref", "conformance/cases/loop")
    assert "4 passed" in done.stdout, done.stdout
    assert done.returncode == 0
    assert _selected(tmp_path) == [
        [case["id"] for case in samples.CASES if case["area"] == "loop"]
    ]


def test_only_what_k_leaves_is_judged(run: Run, tmp_path: Path) -> None:
    """The judge is not asked for the rest."""
    done = run("--plumb-impl", "ref", "-k", "duration",
               "conformance/cases")
    assert "1 passed, 4 deselected" in done.stdout
    assert _selected(tmp_path) == [["loop/timers/same-duration"]]


def test_a_node_id_is_one_case(run: Run, tmp_path: Path) -> None:
    """As pytest prints it."""
    name = "conformance/cases/loop/timers.yaml::same-duration[ref]"
    done = run("--plumb-impl", "ref", name)
    assert "1 passed" in done.stdout
    assert _selected(tmp_path) == [["loop/timers/same-duration"]]
    failed = run("--plumb-impl", "ref", name, FAKE_CONFORM="bad")
    assert f"FAILED {name}" in failed.stdout


def test_several_implementations_are_judged_once_each(
    run: Run, tmp_path: Path
) -> None:
    """An item per case and implementation."""
    done = run("--plumb-impl", "ref", "--plumb-impl", "libuv",
               "conformance/cases/loop", "-v")
    assert "8 passed" in done.stdout
    assert "timers.yaml::same-duration[libuv] PASSED" in done.stdout
    assert len(_selected(tmp_path)) == 2


def test_a_failure_tells_the_explanation(run: Run) -> None:
    """Known failures are xfails, unsupported cases skips."""
    done = run("--plumb-impl", "ref", "conformance/cases",
               FAKE_CONFORM="bad")
    assert done.returncode == 1
    assert "expected `immediate` before `timeout`" in done.stdout
    assert "again: ./plumbline run ref --select loop/check/" in done.stdout
    assert "2 failed, 1 skipped, 2 xfailed" in done.stdout
    assert "unsupported: loop.timer is not promised" in done.stdout
    assert "never lets the timer win" in done.stdout
    assert "Traceback" not in done.stdout
    assert "def runtest" not in done.stdout


def test_x_ends_at_the_first_failure(run: Run) -> None:
    """As everywhere in pytest."""
    done = run("-x", "--plumb-impl", "ref", "conformance/cases",
               FAKE_CONFORM="bad")
    assert "stopping after 1 failures" in done.stdout


def test_a_run_that_proves_nothing_fails_every_item(run: Run) -> None:
    """With the judge's own words, and one try."""
    done = run("--plumb-impl", "ref", "conformance/cases/loop",
               FAKE_CONFORM="nothing")
    assert done.returncode == 1
    assert "4 failed" in done.stdout
    assert "nothing was proved: conform: no case is selected" in done.stdout


def test_without_an_implementation_nothing_is_collected(run: Run) -> None:
    """The plugin is silent in everybody else's tests."""
    done = run("conformance/cases")
    assert "no tests ran" in done.stdout
    assert done.returncode == 5


def test_a_wrong_implementation_is_a_usage_error(run: Run) -> None:
    """One message, before anything is collected."""
    done = run("--plumb-impl", "nodee", "conformance/cases")
    assert done.returncode == 4
    assert "no implementation is called 'nodee'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ones_own_adapter_is_judged_too(run: Run) -> None:
    """By its command."""
    done = run("--plumb-adapter", "/bin/true", "conformance/cases/modules",
               "-v")
    assert "main.yaml::index[true] PASSED" in done.stdout
