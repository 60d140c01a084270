# SPDX-License-Identifier: MIT
"""Fixtures: a fake plumb-bench, and libraries for it; to be imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["Library", "bench", "library"]

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
