# SPDX-License-Identifier: MIT
"""Every way serves; the quick benchmark counts what it should."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROGRAM = os.environ["PLUMB_WAYS_TO_SERVE"]
ONE = ["sequential", "process", "thread", "event"]
MANY = ["proxy", "round-robin", "round-robin-1", "shared"]


@contextmanager
def serving(way: str, workers: int = 2) -> Iterator[int]:
    """A server; it ends with its input, and leaves no process."""
    server = subprocess.Popen(
        [PROGRAM, "--serve", way, "--workers", str(workers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin and server.stdout
    try:
        word, port = server.stdout.readline().split()
        assert word == "listening"
        yield int(port)
    finally:
        server.stdin.close()
        # Whoever has its output has not ended.
        assert server.stdout.read() == ""
        assert server.wait(60) == 0


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"what ")
        client.sendall(b"is it?\n")
        parts = []
        while part := client.recv(4096):
            parts.append(part)
        return b"".join(parts)


@pytest.mark.parametrize("way", ONE + MANY)
def test_a_client_is_answered(way: str) -> None:
    """By a worker where there are some."""
    with serving(way) as port:
        for _ in range(8):
            answer = ask(port)
            assert len(answer) == 64 and answer.endswith(b".\n")
            assert answer[:1] in (b"BC" if way in MANY else b"A")


@pytest.mark.parametrize("way", ONE + MANY)
def test_clients_that_go_away_harm_nobody(way: str) -> None:
    with serving(way) as port:
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", port), timeout=60)
            client.sendall(b"half a question")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              b"\1\0\0\0\0\0\0\0")
            client.close()
        assert len(ask(port)) == 64


@pytest.mark.parametrize("way", ["process", "thread", "event", *MANY])
def test_who_waits_for_a_client_serves_the_others(way: str) -> None:
    """All ways but the sequential one."""
    with serving(way) as port:
        silent = [socket.create_connection(("127.0.0.1", port), timeout=60)
                  for _ in range(4)]
        assert len(ask(port)) == 64
        for client in silent:
            client.sendall(b"now\n")
            assert client.recv(4096)
            client.close()


@pytest.mark.parametrize("way", ["proxy", "round-robin", "round-robin-1"])
def test_the_primary_spreads_clients_evenly(way: str) -> None:
    with serving(way, workers=3) as port:
        answers = [ask(port)[:1] for _ in range(30)]
        for worker in (b"B", b"C", b"D"):
            assert 8 <= answers.count(worker) <= 12


def test_the_quick_benchmark_measures_all_of_them() -> None:
    """Every cell has its figures, and they hang together."""
    done = subprocess.run(
        [PROGRAM, "--bench", "--quick", "--json", "--n", "2,8"],
        capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    found = json.loads(done.stdout)["benchmarks"]
    assert {(one["load"], one["n"], one["way"]) for one in found} == {
        (load, n, way) for load in ("busy", "slow") for n in (2, 8)
        for way in ONE + MANY}
    for one in found:
        assert one["connections_per_second"] > 0, one
        assert one["p50_us"] <= one["p99_us"], one
        assert 0 < one["fairness"] <= 1.0001, one
        assert one["cpu_ns_per_connection"] > 0, one
    memory = {one["way"]: one["memory_bytes_per_connection"] for one in found}
    assert memory["process"] > memory["event"]


@pytest.mark.parametrize("words", [
    [], ["--serve", "x"], ["--bench", "--serve", "event"], ["--bench", "x"],
    ["--bench", "--n", "0"], ["--bench", "--workers", "99"],
])
def test_a_wrong_command_line_is_told(words: list[str]) -> None:
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2 and "usage:" in done.stderr
