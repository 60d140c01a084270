# SPDX-License-Identifier: MIT
"""A real Dask scheduler and two workers on loopback, one killed midway."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import samples

from plumbline.catalog import read_catalog
from plumbline.cluster import address_of
from plumbline.errors import UsageError
from plumbline.results import read_results

HARNESS = Path(__file__).parents[1]
pytest.importorskip("distributed",
                    reason="python3-distributed is not installed")


@dataclass
class Cluster:
    """A scheduler, its address, and the workers that were started."""

    env: dict[str, str]
    folder: Path
    port: int = 0
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, module: str, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *words],
            cwd=self.folder, env=self.env, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True, process_group=0)
        self.processes.append(process)
        return process

    def scheduler(self) -> None:
        process = self.start("dask_scheduler", "--host", "127.0.0.1",
                             "--port", "0", "--no-dashboard", "--no-show")
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"Scheduler at: .*:(\d+)", line):
                self.port = int(found[1])
                return
        raise AssertionError("the scheduler said no address")

    def worker(self) -> subprocess.Popen[str]:
        process = self.start(
            "dask_worker", f"127.0.0.1:{self.port}", "--no-nanny",
            "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")
        assert process.stderr is not None
        for line in process.stderr:
            if "Registered to" in line:
                return process
        raise AssertionError("the worker did not come")

    def run(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "plumbline.cli", "run", "--executor",
             f"dask://127.0.0.1:{self.port}", "--no-report", *words],
            cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


@pytest.fixture()
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    build = samples.write_build(tmp_path / "build")
    env = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(HARNESS),
        "PLUMBLINE_BUILD": str(build), "PLUMBLINE_OUT": str(tmp_path / "out"),
        "HOME": str(tmp_path), "LANG": "C.UTF-8",
        "FAKE_CONFORM_LOG": str(tmp_path / "log"),
        "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
    }
    made = Cluster(env, tmp_path)
    try:
        made.scheduler()
        yield made
    finally:
        made.end()


def _whole(cluster: Cluster, name: str) -> None:
    """Every case once, in one believable file."""
    results = read_results(cluster.folder / "out/results" / name)
    build = cluster.folder / "build"
    catalog = read_catalog(build / "corpus/corpus.jsonl",
                           build / "corpus/rules.json")
    assert results.complete
    assert sorted(results.cases) == sorted(catalog.cases)


def test_two_workers_judge_two_implementations(cluster: Cluster) -> None:
    cluster.worker()
    cluster.worker()
    process = cluster.run("ref", "libuv")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert "everything as expected" in out
    for name in ("ref-0.1.0.jsonl", "libuv-0.1.0.jsonl"):
        _whole(cluster, name)


def test_a_worker_that_is_killed_loses_nothing(cluster: Cluster) -> None:
    """Its shard goes to the other, and is in the result once."""
    cluster.env["FAKE_CONFORM"] = "slow"
    first = cluster.worker()
    cluster.worker()
    process = cluster.run("ref")
    log = cluster.folder / "log"
    while not log.exists() or len(log.read_text().splitlines()) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    _whole(cluster, "ref-0.1.0.jsonl")


def test_a_cluster_without_workers_is_told(cluster: Cluster) -> None:
    process = cluster.run("ref")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the scheduler has no worker" in err


def test_an_executor_that_is_none_is_told() -> None:
    assert address_of("dask://host:8786") == "tcp://host:8786"
    for wrong in ("host:8786", "ray://host:1", "dask://host", "dask://:1"):
        with pytest.raises(UsageError, match="is no executor"):
            address_of(wrong)
