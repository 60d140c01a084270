# SPDX-License-Identifier: MIT
"""What the documentation tells its reader to do, done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from documents import Step, perform, steps

from plumbline.errors import BuildError
from plumbline.places import find_places

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "conformance/adapters/TUTORIAL.md"


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    """An empty folder with the launcher in it."""
    (tmp_path / "plumbline").symlink_to(ROOT / "plumbline")
    return tmp_path


@pytest.fixture()
def env(tmp_path: Path) -> dict[str, str]:
    """The build that is there, and nothing of the user's own settings."""
    places = find_places()
    try:
        assert places.conform
    except BuildError as error:
        pytest.skip(str(error))
    return {
        "PATH": f"/usr/bin:/bin:{os.environ.get('PATH', '')}",
        "HOME": str(tmp_path), "LANG": "C.UTF-8",
        "PLUMBLINE_BUILD": str(places.build),
        "PLUMBLINE_OUT": str(tmp_path / "out"),
    }


def test_the_tutorial_is_true(folder: Path, env: dict[str, str]) -> None:
    """Every command prints what stands there."""
    found = list(steps(TUTORIAL))
    assert len(found) >= 10
    for step in found:
        perform(step, folder, env)
    assert (folder / "out/report/index.html").is_file()


def test_a_page_that_is_not_true_is_told(tmp_path: Path) -> None:
    """A command that prints something else, an edit that does not fit."""
    page = tmp_path / "page.md"
    page.write_text("x\n```console\n$ echo a; echo b\na\n$ echo c1\nc…\n```\n"
                    "```diff f\n-a\n+b\n```\n")
    one, two, three = steps(page)
    assert one == Step("page.md:3", "echo a; echo b", ("a",))
    with pytest.raises(AssertionError, match="page.md:3: `echo a; echo b`"):
        perform(one, tmp_path, os.environ)
    perform(two, tmp_path, os.environ)
    (tmp_path / "f").write_text("a\nc\n")
    perform(three, tmp_path, os.environ)
    assert (tmp_path / "f").read_text() == "b\nc\n"
    with pytest.raises(AssertionError, match="not once in f"):
        perform(three, tmp_path, os.environ)
