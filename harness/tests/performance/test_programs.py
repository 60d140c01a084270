# SPDX-License-Identifier: MIT
"""The programs of bench/ipc as benchmarks, over a fake one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from plumbline.measure import Crash, Record
from plumbline.measure._programs import FLOOR, programs_of, run_program
from plumbline.registry import Target

FAKE = """#!{python}
import os, sys, time

# Ticks of the process that goes on for ever, once it is there.
def used():
    while True:
        try:
            pid = open({pids!r}).read().split()[0]
            stat = open("/proc/%s/stat" % pid).read()
            return int(stat.rpartition(")")[2].split()[11])
        except (OSError, IndexError):
            time.sleep(0.01)

verb = sys.argv[1]
if verb == "list":
    print("fd-oneway raw\\nfd-oneway ref\\nfd-acked ref\\nfd-acked libuv")
elif verb == "serve":
    if os.fork() == 0:
        open({pids!r}, "a").write("%d\\n" % os.getpid())
        while True: pass
    if {mute}: time.sleep(600)
    print("listening 4711", flush=True)
    sys.stdin.read()
elif verb == "load":
    assert sys.argv[2:4] == ["4711", "4"]
    begun = used()
    while used() < begun + 2: time.sleep(0.01)
    print({load!r})
else:
    print({pipe!r})
    sys.exit({status})
"""


def _bench(
    folder: Path, pipe: str = "1000000 300", load: str = "5000",
    status: int = 0, mute: bool = False,
) -> Path:
    """A plumb-bench that has the fake program beside it."""
    program = folder / "bench/ipc/ipc-bench"
    program.parent.mkdir(parents=True)
    program.write_text(FAKE.format(
        python=sys.executable, pids=str(folder / "pids"), pipe=pipe,
        load=load, status=status, mute=mute))
    program.chmod(0o755)
    return folder / "bench/plumb-bench"


def _target(name: str) -> Target:
    return Target(name, name, provider=Path(f"{name}.so"))


def test_an_implementation_has_the_programs_of_its_name(
    tmp_path: Path
) -> None:
    """The reference's floors stand beside it; a stranger has none."""
    bench = _bench(tmp_path)
    found = {(p.name, p.implementation)
             for p in programs_of(bench, _target("ref"), "ref", False)}
    assert found == {
        ("ipc/handles/pipelined", "ref"), ("ipc/handles/pipelined", FLOOR),
        ("ipc/handles/acknowledged", "ref"),
        ("ipc/cluster/round-robin", "ref"), ("ipc/cluster/shared", "ref"),
        ("ipc/cluster/one-process", FLOOR)}
    libuv, = programs_of(bench, _target("libuv"), "libuv#2", False)
    assert (libuv.name, libuv.implementation) == (
        "ipc/handles/acknowledged", "libuv#2")
    assert programs_of(bench, _target("mine"), "mine", False) == []
    assert programs_of(tmp_path / "no/plumb-bench", _target("ref"), "ref",
                       False) == []


def test_a_runtime_serves_by_its_own_command(tmp_path: Path) -> None:
    """As it runs its adapter, so it runs the server."""
    adapter = tmp_path / "conformance/adapters/js/adapter.cjs"
    target = Target("node", "node", command=("node", "-x", str(adapter)))
    first, second = programs_of(_bench(tmp_path), target, "node-20", True)
    script = str(tmp_path / "bench/ipc/js/ipc.cjs")
    assert first.command == ("node", "-x", script, "serve", "rr", "2")
    assert (second.name, second.implementation) == (
        "ipc/cluster/shared", "node-20")


def _only(folder: Path, name: str, **fake: object) -> Record | Crash:
    bench = _bench(folder, **fake)  # type: ignore[arg-type]
    program, = [p for p in programs_of(bench, _target("ref"), "ref", True)
                if p.name == name and p.implementation == "ref"]
    return run_program(program, {})


def test_a_command_s_rate_becomes_a_time(tmp_path: Path) -> None:
    """Wall time from the rate, CPU time of both sides as it is told."""
    record = _only(tmp_path, "ipc/handles/pipelined")
    assert isinstance(record, Record)
    assert (record.real, record.cpu) == ((1000.0,), (300.0,))
    assert record.operations % 64 == 0


def test_a_server_s_processes_are_counted_and_ended(tmp_path: Path) -> None:
    """Also those that it started, which would go on for ever."""
    record = _only(tmp_path, "ipc/cluster/shared")
    assert isinstance(record, Record), record
    assert record.real == (200000.0,) and record.cpu[0] > 0
    pid = int((tmp_path / "pids").read_text())
    end = time.monotonic() + 60
    while _runs(pid):
        assert time.monotonic() < end, "it goes on"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """A process that was killed is gone, or soon waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.split()[0] not in "ZX"


@pytest.mark.parametrize("name, fake, why", [
    ("ipc/handles/pipelined", {"status": 1}, "ended with status 1"),
    ("ipc/handles/pipelined", {"pipe": "0 300"}, "ended with status 0"),
    ("ipc/handles/pipelined", {"pipe": "none"}, "no message"),
    ("ipc/cluster/shared", {"load": "x"}, "no message"),
    ("ipc/cluster/shared", {"mute": True}, "did not listen in time"),
])
def test_a_program_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str,
    fake: dict[str, object], why: str,
) -> None:
    """And has no time."""
    if "mute" in fake:
        monkeypatch.setattr("plumbline.measure._programs._LIMIT", 0.5)
    crash = _only(tmp_path, name, **fake)
    assert isinstance(crash, Crash)
    assert crash.name == name and why in crash.how


def test_the_real_programs_are_those_that_are_named() -> None:
    """Where they were built: what compare.py of bench/ipc runs, too."""
    build = os.environ.get("PLUMBLINE_BUILD")
    program = Path(build or "build", "bench/ipc/ipc-bench")
    if not program.exists():
        pytest.skip("bench/ipc was not built")
    bench = program.parents[1] / "plumb-bench"
    names = {p.name for p in programs_of(bench, _target("ref"), "ref", True)}
    assert sorted(names) == [
        "ipc/cluster/one-process", "ipc/cluster/round-robin",
        "ipc/cluster/shared", "ipc/handles/acknowledged",
        "ipc/handles/batched", "ipc/handles/pipelined"]
