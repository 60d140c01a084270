# SPDX-License-Identifier: MIT
"""The resolvers that these tests hold against each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.places import find_places
from plumbline.registry import read_registry
from plumbline.resolvers import Node, Reference, find_nodes

_HARNESS = Path(__file__).parents[2]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def binary() -> Path:
    """plumb-resolve, as it was built."""
    path = find_places().build / "ref/apps/plumb-resolve/plumb-resolve"
    if not path.exists():
        pytest.skip("plumb-resolve is not built")
    return path


@pytest.fixture(scope="session")
def node() -> Node:
    """The newest Node whose rules the reference has."""
    nodes, _ = find_nodes(read_registry(find_places()))
    if not nodes:
        pytest.skip("no Node 20 or 22 is here")
    return nodes[-1]


@pytest.fixture()
def wrong(binary: Path, tmp_path: Path) -> Callable[[str, str], Reference]:
    """A resolver that says one text for another in all of its answers."""

    def make(text: str, other: str) -> Reference:
        path = tmp_path / "wrong-resolve"
        path.write_text(
            f"#!{sys.executable}\n"
            "import subprocess, sys\n"
            f"done = subprocess.run([{str(binary)!r}, *sys.argv[1:]],\n"
            "                      stdout=subprocess.PIPE)\n"
            f"out = done.stdout.replace({text.encode()!r}, "
            f"{other.encode()!r})\n"
            "sys.stdout.buffer.write(out)\n"
            "sys.exit(done.returncode)\n")
        path.chmod(0o755)
        return Reference(path)

    return make


@pytest.fixture()
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes files below a fresh directory, which it gives."""

    def make(**files: str) -> Path:
        root = tmp_path / "tree"
        for name, text in files.items():
            path = root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return make


@pytest.fixture()
def cli(binary: Path, tmp_path: Path) -> Cli:
    """./plumbline, over the build that is tested."""
    import os

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "plumbline.cli", *map(str, words)],
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=300,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_HARNESS),
                 "HOME": str(tmp_path), "LANG": "C.UTF-8",
                 "PLUMBLINE_BUILD": str(binary.parents[3]),
                 "PLUMBLINE_OUT": str(tmp_path / "out")})

    return run
