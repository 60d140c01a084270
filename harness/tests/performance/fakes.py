# SPDX-License-Identifier: MIT
"""A fake plumb-bench, and libraries for it, as fixtures; a fake program of
`ref/apps`. To be imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.places import Places, find_places

__all__ = ["Library", "bench", "fake_app", "library"]

Library = Callable[..., Path]


@pytest.fixture()
def bench() -> Path:
    """The fake plumb-bench."""
    return Path(__file__).with_name("fake_bench.py")


@pytest.fixture()
def library(tmp_path: Path) -> Library:
    """Makes a library: library("ref", {"a": 100.0}, crash={"a": 3})."""
    def make(name: str, times: dict[str, float], **more: object) -> Path:
        path = tmp_path / f"{name}.so"
        path.write_text(json.dumps(
            {"impl": more.pop("impl", name), "times": times, **more}))
        return path

    return make


def fake_app(build: Path, name: str, prints: str, status: int = 0) -> Places:
    """Places where `plumb-NAME` is a program that prints a text, and leaves the
    words that it was given in the file `words` beside it."""
    program = build / "ref/apps" / name / f"plumb-{name}"
    program.parent.mkdir(parents=True)
    (program.parent / "answer").write_text(prints)
    program.write_text(
        '#!/bin/sh\necho "$*" >"$(dirname "$0")/words"\n'
        f'cat "$(dirname "$0")/answer"\necho trouble >&2\nexit {status}\n')
    program.chmod(0o755)
    return Places(find_places().root, build)
