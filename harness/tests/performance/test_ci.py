# SPDX-License-Identifier: MIT
"""The recipes for CI: the very script that people copy, with a made-up
launcher."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import]

from plumbline.cli import main
from plumbline.places import find_places

RECIPES = find_places().root / "reports" / "ci"

LAUNCHER = """\
#!/bin/sh
echo "$*" >>"$CALLS"
case $1 in
  run) exit $JUDGED ;;
  gate) shift; while [ $# -gt 0 ]; do
      [ "$1" != --markdown ] || [ "$GATED" = 2 ] || echo "GATE" >"$2"; shift
    done; exit $GATED ;;
  export) [ "$2" != markdown ] || echo "CASES"; exit $EXPORTED ;;
  report) mkdir -p "$3"; exit 0 ;;
esac
"""


class Run:
    """One run of the script."""

    def __init__(self, tmp_path: Path, judged: int = 0, gated: int = 0,
                 exported: int = 0, **env: str) -> None:
        launcher = tmp_path / "launcher"
        launcher.write_text(LAUNCHER)
        launcher.chmod(0o755)
        calls = tmp_path / "calls"
        calls.write_text("")
        done = subprocess.run(
            [RECIPES / "plumbline.sh"], cwd=tmp_path, capture_output=True,
            text=True, env={
                "PATH": os.environ["PATH"], "PLUMBLINE": str(launcher),
                "CALLS": str(calls), "JUDGED": str(judged),
                "GATED": str(gated), "EXPORTED": str(exported), **env})
        self.status = done.returncode
        self.err = done.stderr
        self.calls = calls.read_text().splitlines()
        out = tmp_path / env.get("PLUMBLINE_OUT", "ci-out")
        self.summary = (out / "summary.md").read_text()
        self.report = (out / "report").is_dir()


@pytest.mark.parametrize("judged, gated, status", [
    (0, 0, 0), (1, 0, 1), (0, 3, 3), (0, 4, 4), (0, 5, 5), (1, 3, 1),
    (2, 0, 2), (130, 0, 130),
])
def test_it_ends_with_the_status_of_what_is_wrong(
    tmp_path: Path, judged: int, gated: int, status: int
) -> None:
    """A wrong case first; report and summary are there in any case."""
    run = Run(tmp_path, judged, gated, PLUMBLINE_BASE="main")
    assert run.status == status
    assert run.report and "CASES" in run.summary and "GATE" in run.summary
    if judged:
        assert f"the cases ended with status {judged}" in run.err
    elif gated:
        assert f"the gate ended with status {gated}" in run.err


def test_its_settings_reach_the_commands(tmp_path: Path) -> None:
    """Base, implementations, folder, strictness, GitHub's summary."""
    run = Run(tmp_path, PLUMBLINE_BASE="v1", PLUMBLINE_IMPLS="ref node@22",
              PLUMBLINE_STRICT="yes", PLUMBLINE_OUT="art",
              GITHUB_STEP_SUMMARY=str(tmp_path / "shown.md"))
    assert run.calls == [
        "run ref node@22 --no-report", "export markdown",
        "export junit --output art/junit.xml",
        "gate v1 --markdown art/gate.md --strict", "report --out art/report"]
    assert (tmp_path / "shown.md").read_text() == run.summary


def test_without_a_base_there_is_no_gate_and_it_is_said(
    tmp_path: Path
) -> None:
    """Nobody takes silence for a pass."""
    run = Run(tmp_path, gated=3)
    assert run.status == 0
    assert not any(call.startswith("gate") for call in run.calls)
    assert "No base is given" in run.summary


def test_what_could_not_be_made_is_named(tmp_path: Path) -> None:
    """A gate that did not begin, an export that failed."""
    run = Run(tmp_path, gated=2, exported=2, PLUMBLINE_BASE="nosuch")
    assert run.status == 2
    assert "status 2 before it measured" in run.summary
    assert "export markdown` failed" in run.summary


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_the_other_recipes_call_the_script(name: str) -> None:
    """They are YAML, keep the artefacts of a failed run, fetch history."""
    text = (RECIPES / name).read_text()
    value: dict[str, Any] = yaml.safe_load(text)
    job = (value["jobs"]["plumbline"] if "jobs" in value
           else value["plumbline"])
    said = str(job)
    assert "reports/ci/plumbline.sh" in said
    assert "PLUMBLINE_BASE" in said and "ci-out" in said
    assert ("'fetch-depth': 0" in said) or ("'GIT_DEPTH': '0'" in said)
    assert "always" in said


def test_the_commands_of_the_recipes_exist(
    capsys: pytest.CaptureFixture[str]
) -> None:
    """With the options that the script gives them."""
    for command, options in (
        ("run", ["--no-report"]), ("gate", ["--markdown", "--strict"]),
        ("export", ["--output"]), ("report", ["--out"]),
    ):
        assert main([command, "--help"]) == 0
        said = capsys.readouterr().out
        assert all(option in said for option in options), command
