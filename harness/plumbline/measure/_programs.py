# SPDX-License-Identifier: MIT
"""Benchmarks that need several processes: the programs of bench/ipc, under
names like all others.

    ipc/handles/pipelined|acknowledged|batched    the CPU time of both sides
    ipc/cluster/round-robin|shared|one-process    that of the server's processes

What the reference is held against here, loops of plain system calls, stands
beside it as an implementation of its own, `floor`.

Invariant: a server is ended with everything that it started, and a program
that fails is named and has no time.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.measure._process import Crash, Record
from plumbline.registry import Target

__all__ = ["FLOOR", "Program", "in_session", "programs_of", "run_program"]

FLOOR = "floor"
_VERSION = 1
_LIMIT = 60.0
_CLIENTS = 4
_WORKERS = "2"
_QUICK, _LONG = 0.25, 1.0  # shares of the counts below; of a second of load
# name, workload, count
_PIPES = (
    ("ipc/handles/pipelined", "fd-oneway", 40_000),
    ("ipc/handles/acknowledged", "fd-acked", 12_000),
    ("ipc/handles/batched", "fd-batched", 256_000),
)
_CLUSTERS = {"ipc/cluster/round-robin": "rr", "ipc/cluster/shared": "shared"}
_ALONE = "ipc/cluster/one-process"


class _Failed(Exception):
    """The program gave no rate."""


@dataclass(frozen=True)
class Program:
    """One benchmark of one implementation: a command that tells a rate and a
    time, or a server and what loads it."""

    name: str
    implementation: str
    command: Sequence[str]
    count: int = 0  # operations of a command
    load: Sequence[str] = ()  # to be followed by port, clients, milliseconds
    seconds: float = 0.0  # of load
    version: int = _VERSION


def programs_of(
    bench: Path, target: Target, label: str, quick: bool
) -> list[Program]:
    """What there is for an implementation; nothing where bench/ipc was not
    built, or measures another library than this one."""
    program = bench.parent / "ipc" / "ipc-bench"
    if not program.exists():
        return []
    share = _QUICK if quick else _LONG
    load = (str(program), "load")
    if target.provider is not None and target.name in ("ref", "libuv"):
        return _native(str(program), target.name, label, share)
    if target.command and target.command[-1].endswith("js/adapter.cjs"):
        # adapters/js/adapter.cjs lies three folders below the root.
        script = Path(target.command[-1]).resolve().parents[3].joinpath(
            "bench", "ipc", "js", "ipc.cjs")
        return [Program(name, label, (*target.command[:-1], str(script),
                                      "serve", how, _WORKERS),
                        load=load, seconds=share)
                for name, how in _CLUSTERS.items()]
    return []


def _native(
    program: str, name: str, label: str, share: float
) -> list[Program]:
    listed = subprocess.run([program, "list"], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True).stdout
    offered = {tuple(line.split()) for line in listed.splitlines()}
    who = [(name, label)] + ([("raw", FLOOR)] if name == "ref" else [])
    found = [
        Program(title, as_, (program, workload, one, str(count)), count)
        for title, workload, most in _PIPES
        for one, as_ in who if (workload, one) in offered
        for count in (int(most * share) // 64 * 64,)
    ]
    if name == "ref":
        load = (program, "load")
        found += [Program(title, label, (program, "serve", how, _WORKERS, "4"),
                          load=load, seconds=share)
                  for title, how in _CLUSTERS.items()]
        found.append(Program(_ALONE, FLOOR, (program, "serve", "single"),
                             load=load, seconds=share))
    return found


def run_program(
    program: Program, env: Mapping[str, str]
) -> Record | Crash:
    """Run it once."""
    try:
        if program.load:
            real, cpu, count = _serve(program, env)
        else:
            real, cpu, count = _pipe(program, env)
    except (_Failed, OSError, subprocess.TimeoutExpired) as error:
        return Crash(program.name, program.implementation, str(error))
    return Record(
        name=program.name, implementation=program.implementation,
        version=program.version, operations=count, batches=1, cpu=(cpu,),
        real=(real,), counters={}, pauses=(), involuntary=0,
        elapsed=real * count)


def _numbers(done: subprocess.CompletedProcess[str], least: int
             ) -> list[float]:
    try:
        found = [float(word) for word in done.stdout.split()]
    except ValueError:
        found = []
    if done.returncode or len(found) < least or min(found) <= 0:
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise _Failed(f"ended with status {done.returncode}: {said[0]}")
    return found


def _pipe(program: Program, env: Mapping[str, str]
          ) -> tuple[float, float, int]:
    done = subprocess.run(
        program.command, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=_LIMIT, env={**os.environ, **env})
    rate, cpu = _numbers(done, 2)
    return 1e9 / rate, cpu, program.count


def _serve(program: Program, env: Mapping[str, str]
           ) -> tuple[float, float, int]:
    server = subprocess.Popen(
        program.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={**os.environ, **env},
        start_new_session=True)
    try:
        port = _port(server)
        before = _cpu_of(server.pid)
        done = subprocess.run(
            [*program.load, port, str(_CLIENTS),
             str(round(1000 * program.seconds))],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_LIMIT)
        used = _cpu_of(server.pid) - before
        rate, = _numbers(done, 1)
    finally:
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        server.communicate()
    count = max(1, round(rate * program.seconds))
    if used <= 0:
        raise _Failed("used no CPU time that could be seen")
    return 1e9 / rate, used / count, count


def _port(server: subprocess.Popen[bytes]) -> str:
    assert server.stdout
    if not select.select([server.stdout], [], [], _LIMIT)[0]:
        raise _Failed("did not listen in time")
    words = server.stdout.readline().decode(errors="replace").split()
    if len(words) != 2 or words[0] != "listening":
        raise _Failed("did not listen")
    return words[1]


def in_session(session: int) -> Iterator[tuple[int, list[str]]]:
    """The processes of a session, each with what the kernel says of it behind
    its name: its state, its parent, ... (proc(5), /proc/pid/stat)."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(errors="replace")
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if int(fields[3]) == session:
            yield int(entry.name), fields


def _cpu_of(session: int) -> float:
    """Nanoseconds of CPU time of all processes of a session."""
    ticks = sum(int(fields[11]) + int(fields[12])
                for _, fields in in_session(session))
    return 1e9 * ticks / os.sysconf("SC_CLK_TCK")
