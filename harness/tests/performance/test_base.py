# SPDX-License-Identifier: MIT
"""The base: built from a work tree with the options of here, or named."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from plumbline.errors import MeasurementError, UsageError
from plumbline.gate import build_arms
from plumbline.places import Places

MESON = """\
project('tiny', 'c', default_options: ['buildtype=release'])
subdir('ref')
"""
OTHERS = "".join(f"int other_{n}(void) {{ return {n}; }}\n" for n in range(9))
LIBRARY = "shared_library('plumb-ref', 'ref.c')\n"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), "-c", "user.name=t", "-c",
         "user.email=t@example.org", *words],
        capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A repository of three revisions: good, broken, and what is here."""
    for tool in ("git", "meson", "ninja", "cc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing")
    root = tmp_path_factory.mktemp("tiny")
    (root / "ref").mkdir()
    (root / "meson.build").write_text(MESON)
    (root / "ref/meson.build").write_text(LIBRARY)
    (root / ".gitignore").write_text("/out/\n/build/\n")
    _git(root, "init", "-q", "-b", "main")
    for tag, text in (("good", "int answer(void) { return 41; }\n"),
                      ("broken", "int answer(void) { return }\n"),
                      ("head", "int answer(void) { return 42; }\n")):
        (root / "ref/ref.c").write_text(text + OTHERS)
        _git(root, "add", "-A")
        _git(root, "commit", "-q", "-m", tag)
        _git(root, "tag", tag)
    build = root / "build"
    subprocess.run(["meson", "setup", str(build), str(root), "-Dc_args=-O1"],
                   check=True, capture_output=True)
    subprocess.run(["ninja", "-C", str(build)], check=True,
                   capture_output=True)
    return Places(root, build)


def test_the_base_is_built_once_and_leaves_nothing(tiny: Places) -> None:
    """No work tree, no change of the checkout."""
    notes: list[str] = []
    arms = build_arms(tiny, "good", notes.append)
    assert all(p.exists() for p in (*arms.base, *arms.here))
    assert set(arms.base).isdisjoint(arms.here)
    assert arms.commit == _git(tiny.root, "rev-parse", "good")
    assert not arms.dirty
    assert len(_git(tiny.root, "worktree", "list").splitlines()) == 1
    again = build_arms(tiny, "good", notes.append)
    assert again.base == arms.base
    assert sum("good" in note for note in notes) == 1


def test_the_base_is_built_with_the_options_of_here(tiny: Places) -> None:
    """Its log says so."""
    arms = build_arms(tiny, "good", lambda text: None)
    log = arms.base[0].parent.with_suffix(".log").read_text()
    compiled = next(x for x in log.splitlines() if " -c " in x)
    assert "-O1" in compiled and "-O3" in compiled


def test_counters_need_no_build(tiny: Places) -> None:
    """The exact lane takes the library that is there."""
    notes: list[str] = []
    arms = build_arms(tiny, "broken", notes.append, needed=False)
    assert notes == [] and arms.here == [tiny.build / "ref/libplumb-ref.so"]


def test_layouts_differ_and_do_the_same(tiny: Places) -> None:
    """Of functions that lie elsewhere."""
    arms = build_arms(tiny, "good", lambda text: None)
    if len(arms.base) == 1:
        pytest.skip("lld is missing")
    assert len({p.read_bytes() for p in arms.base}) > 1
    for path, answer in ((arms.base, 41), (arms.here, 42)):
        for one in path:
            library = ctypes.CDLL(str(one))
            assert library.answer() == answer


def test_a_base_that_does_not_build_is_no_measurement(tiny: Places) -> None:
    """Status 5, with the compiler's words and the log."""
    with pytest.raises(MeasurementError, match="cannot be built") as error:
        build_arms(tiny, "broken", lambda text: None)
    assert error.value.status == 5
    assert "ref.c" in str(error.value)
    assert error.value.place and Path(error.value.place).exists()
    assert len(_git(tiny.root, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("revision", ["nosuch", "", "--help", "HEAD:ref"])
def test_a_revision_that_is_none_is_a_mistake(
    tiny: Places, revision: str
) -> None:
    """Status 2."""
    with pytest.raises(UsageError, match="no revision") as error:
        build_arms(tiny, revision, lambda text: None)
    assert error.value.status == 2
