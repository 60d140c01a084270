# SPDX-License-Identifier: MIT
"""How the judge is driven: progress, names, and an end in every case."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
import samples

from plumbline import judge as module
from plumbline.catalog import read_catalog, select
from plumbline.errors import RunError
from plumbline.judge import Request, judge, reproduce
from plumbline.places import Places, find_places
from plumbline.registry import Target, own_adapter


@pytest.fixture()
def places(tmp_path: Path) -> Places:
    return Places(find_places().root, samples.write_build(tmp_path / "build"))


def _ref(places: Places) -> Target:
    return Target("ref", "ref",
                  provider=places.build / "ref/libplumb-ref.so")


def test_progress_counts_the_cases(places: Places, tmp_path: Path) -> None:
    """Up to all that were selected."""
    seen: list[tuple[int, int | None]] = []
    outcome = judge(places, _ref(places), Request(), tmp_path / "r",
                    lambda done, total: seen.append((done, total)))
    assert outcome.proved
    assert seen[-1] == (5, 5)


def test_a_judge_that_is_deaf_is_killed(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time of grace; nothing of it is left."""
    monkeypatch.setattr(module, "_GRACE", 0.3)
    monkeypatch.setenv("FAKE_CONFORM", "stubborn")

    def begun() -> bool:
        """It writes only once it is deaf."""
        return any(path.stat().st_size > 0
                   for path in (tmp_path / "r").iterdir())

    outcome = judge(places, _ref(places), Request(), tmp_path / "r",
                    cancelled=begun)
    assert outcome.interrupted
    assert outcome.results is None
    assert outcome.status == -signal.SIGKILL
    assert list((tmp_path / "r").iterdir()) == []
    left = subprocess.run(["pgrep", "-f", str(places.conform)],
                          capture_output=True, text=True)
    assert left.stdout == ""


def test_a_judge_that_cannot_be_started_is_told(
    places: Places, tmp_path: Path
) -> None:
    """With its place."""
    places.conform.chmod(0o644)
    with pytest.raises(RunError, match="cannot be started"):
        judge(places, _ref(places), Request(), tmp_path / "r")


def test_the_command_that_repeats_a_case_can_be_typed(
    places: Places, tmp_path: Path
) -> None:
    """Quoted as a shell needs it."""
    script = tmp_path / "my adapter"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    target = own_adapter(f"'{script}' --flag", "mine")
    assert reproduce(target, "a/b/c") == (
        f"./plumbline run --adapter ''\"'\"'{script}'\"'\"' --flag' "
        "--name mine --select a/b/c"
    )
    assert reproduce("node@12", "a/b/c") == (
        "./plumbline run node@12 --select a/b/c"
    )


@pytest.mark.parametrize(("wanted", "excluded", "count"), [
    ([], [], 5),
    (["loop"], [], 4),
    (["loop/timers"], [], 2),
    (["loop/timers/"], [], 2),
    (["loop/time"], [], 0),
    (["*index*"], [], 1),
    (["LOOP-CHECK-2"], [], 2),
    (["loop", "modules"], ["*same*", "LOOP-CHECK-2"], 2),
])
def test_selecting_is_what_the_judge_does(
    places: Places, wanted: list[str], excluded: list[str], count: int
) -> None:
    """A glob, a subtree, a rule; for `list`, which does not ask it."""
    catalog = read_catalog(places.corpus, places.rules)
    assert len(select(catalog, wanted, excluded)) == count
