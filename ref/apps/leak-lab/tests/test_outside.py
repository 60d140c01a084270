# SPDX-License-Identifier: MIT
"""The cache in a real Redis server that the test starts, and ends.

Invariant: a test has a server of its own, as `plumbline.redis` starts it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from plumbline.redis import RedisServer, find_server, redis_server

OUTSIDE = str(Path(os.environ["PLUMB_LEAK_LAB"]) / "plumb-leak-outside")
SCRIPT = Path(__file__).resolve().parent.parent / "js" / "outside.cjs"
SERVER = find_server()
NODE = shutil.which("node")
SMALL = ["--entries", "2000", "--bytes", "100", "--requests", "500"]
Json = dict[str, Any]

needs_server = pytest.mark.skipif(
    SERVER is None, reason="redis-server is not installed")


def redis() -> AbstractContextManager[RedisServer]:
    """A server on a socket; ended however the test ends."""
    assert SERVER is not None
    return redis_server(SERVER)


def start(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=90,
                          stdin=subprocess.DEVNULL)


def answer(words: list[str]) -> Json:
    done = start(words)
    if "without hiredis" in done.stderr:
        pytest.skip("built without hiredis")
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("where", ["process", "steps"])
def test_cache_inside_is_in_the_heap(where: str) -> None:
    """2,000 pages of 100 bytes, their headers and entries."""
    found = answer([OUTSIDE, where, *SMALL])
    assert found["heapUsed"] >= 2000 * 100
    assert found["majors"]["count"] >= 10
    assert found["gets"]["count"] == 500
    assert found["serverUsed"] == 0


@needs_server
def test_cache_outside_leaves_the_heap_empty() -> None:
    """The server has the pages; the collector finds nothing to mark."""
    with redis() as server:
        found = answer([OUTSIDE, "redis", *SMALL, "--socket", server.socket])
    assert found["heapUsed"] < 20000
    assert found["serverUsed"] >= 2000 * 100
    assert found["majors"]["count"] == 10


@needs_server
@pytest.mark.skipif(NODE is None, reason="no node in PATH")
def test_node_gets_the_same_pages() -> None:
    """It fails on a page that is wrong."""
    assert NODE is not None
    words = [NODE, "--expose-gc", str(SCRIPT)]
    with redis() as server:
        outside = answer([*words, "redis", *SMALL, "--socket", server.socket])
    inside = answer([*words, "process", *SMALL])
    assert outside["serverUsed"] >= 2000 * 100
    assert inside["gets"]["count"] == outside["gets"]["count"] == 500


@needs_server
def test_a_server_that_goes_is_an_error() -> None:
    """In the middle of the requests: a line, a status, no signal."""
    with redis() as server:
        running = subprocess.Popen(
            [OUTSIDE, "redis", "--socket", server.socket, "--requests",
             "50000000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(0.5)
            server.process.kill()
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
            running.wait()
    if "without hiredis" in said:
        pytest.skip("built without hiredis")
    assert running.returncode == 2 and "redis: " in said


def test_no_server_is_an_error(tmp_path: Path) -> None:
    """One line says where none was."""
    done = start([OUTSIDE, "redis", "--socket", str(tmp_path / "none")])
    assert done.returncode == 2 and "redis: " in done.stderr


@pytest.mark.parametrize("words", [
    [], ["nowhere"], ["process", "--entries"], ["process", "--entries", "0"],
    ["process", "--entries", "x"], ["process", "--requests", "5"],
    ["redis", "--port", "70000"], ["process", "--what", "1"],
])
def test_wrong_words_are_refused(words: list[str]) -> None:
    """With what would be right."""
    done = start([OUTSIDE, *words])
    assert done.returncode == 2 and "usage:" in done.stderr
