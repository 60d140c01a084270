# SPDX-License-Identifier: MIT
"""Each skeleton is a whole adapter, and all judge alike."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from plumbline.errors import BuildError, UsageError
from plumbline.places import find_places
from plumbline.skeletons import SKELETONS, write_skeleton

ROOT = Path(__file__).parents[2]
_TOOLS = {"javascript": "node", "c": "make", "rust": "cargo", "go": "go"}
# Debian's crates, so that cargo asks no network.
_CRATES = Path("/usr/share/cargo/registry")


def test_every_language_of_the_command_has_a_skeleton() -> None:
    from plumbline.commands.init_adapter import _LANGUAGES

    assert set(_LANGUAGES) == set(SKELETONS)
    folders = ROOT / "conformance/adapters/skeletons"
    assert {p.name for p in folders.iterdir() if p.is_dir()} == set(SKELETONS)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """And a name is one that a results file can have."""
    with pytest.raises(UsageError, match="there already"):
        write_skeleton(find_places(), "python", "mine", tmp_path)
    with pytest.raises(UsageError, match="cannot be an implementation's"):
        write_skeleton(find_places(), "python", "a/b", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_skeleton(find_places(), "c", "x", tmp_path / "file" / "new")


def _build(language: str, folder: Path) -> str:
    """The adapter's command, built where it has to be."""
    tool = _TOOLS.get(language, "python3")
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    # rustup's cargo is in the PATH also where it has no compiler to start.
    says = subprocess.run([tool, "version" if tool == "go" else "--version"],
                          capture_output=True, text=True, timeout=120)
    if says.returncode:
        pytest.skip(f"{tool} does not run here: {says.stderr[:200]}")
    known = SKELETONS[language]
    if language == "rust":
        if not list(_CRATES.glob("serde_json-1*")):
            pytest.skip("serde_json is not here (librust-serde-json-dev)")
        (folder.parent / ".cargo").mkdir()
        (folder.parent / ".cargo/config.toml").write_text(
            '[source.crates-io]\nreplace-with = "debian"\n'
            f'[source.debian]\ndirectory = "{_CRATES}"\n')
    if known.build:
        done = subprocess.run(
            known.build.format(folder), shell=True, cwd=folder.parent,
            text=True, capture_output=True, timeout=300,
            env={**os.environ, "CARGO_NET_OFFLINE": "true",
                 "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"})
        assert done.returncode == 0, done.stdout + done.stderr
    return known.command.format(folder)


@pytest.mark.parametrize("language", sorted(SKELETONS))
def test_a_skeleton_answers_and_judges_as_it_should(
    language: str, tmp_path: Path
) -> None:
    """Every smoke case, every message by the schema; and of the timeouts the
    one case that the tutorial mends is red."""
    places = find_places()
    try:
        conform = str(places.conform)
    except BuildError as error:
        pytest.skip(str(error))
    folder = tmp_path / "mine"
    write_skeleton(places, language, "mine", folder)
    assert "@NAME@" not in "".join(
        p.read_text() for p in folder.rglob("*") if p.is_file())
    command = _build(language, folder)
    base = [conform, "--corpus", str(places.corpus),
            "--adapter", command]
    smoke = subprocess.run(
        [*base, "--smoke", "--check-protocol", "--schema",
         str(ROOT / "conformance/schema")],
        capture_output=True, text=True, timeout=300)
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    assert "11 cases: 10 pass 1 unsupported; 0 unexpected" in smoke.stdout
    results = tmp_path / "r.jsonl"
    subprocess.run(
        [*base, "--select", "loop/timeouts", "--results", str(results)],
        capture_output=True, timeout=300, check=False)
    verdicts: dict[str, list[str]] = {}
    for line in results.read_text().splitlines()[1:-1]:
        case = json.loads(line)
        if case["level"] != "OBSERVED":
            verdicts.setdefault(case["verdict"], []).append(case["id"])
    assert verdicts.pop("fail") == [
        "loop/timeouts/period-counts-from-the-start-of-the-callback"]
    assert len(verdicts["pass"]) >= 25
    assert set(verdicts) == {"pass", "unsupported"}
