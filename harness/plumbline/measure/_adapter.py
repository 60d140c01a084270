# SPDX-License-Identifier: MIT
"""The `bench` command of the adapter protocol.

Invariant: every wait is bounded; an adapter that hangs, dies or talks
nonsense costs the benchmark that it was asked for, by name, and the next one
gets a fresh process.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plumbline.errors import MeasurementError
from plumbline.measure._process import Crash, Record
from plumbline.registry import Target
from plumbline.stats import Pauses

__all__ = ["bench_adapter"]

_LIMIT = 60.0
_MOST = 1 << 26  # bytes of one answer
Progress = Callable[[int, int | None], None]


class _Gone(Exception):
    """The adapter cannot be asked any more."""


class _Session:
    """One adapter process."""

    def __init__(self, target: Target) -> None:
        self._process = subprocess.Popen(
            target.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**os.environ, **target.env},
            start_new_session=True,
        )
        self._heard = b""

    def ask(self, message: Mapping[str, Any], limit: float) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _Gone(self._end()) from error
        line = self._line(time.monotonic() + limit)
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise _Gone(f"said what is no JSON: {line[:80]!r}") from error
        if not isinstance(answer, dict):
            raise _Gone(f"said what is no answer: {line[:80]!r}")
        return answer

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout
        out = self._process.stdout.fileno()
        while b"\n" not in self._heard:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise _Gone("did not answer in time")
            part = os.read(out, 1 << 16)
            if not part:
                raise _Gone(self._end())
            self._heard += part
            if len(self._heard) > _MOST:
                raise _Gone("gave an answer without end")
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _end(self) -> str:
        try:
            status = self._process.wait(2)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return f"ended with status {status}"

    def close(self) -> None:
        if self._process.stdin:
            try:
                self._process.stdin.close()
            except OSError:
                pass
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


_UNITS = {"": 1, "%": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def workload_of(name: str) -> tuple[str, dict[str, int]]:
    """`loop/timers/arm/n:1000` is the workload `loop/timers/arm` with {"n":
    1000}; `live:4M` is {"live": 4194304}."""
    path = name.split("/")
    params = {}
    for part in path:
        found = re.fullmatch(r"([a-z-]+):(-?\d+)([%KMG]?)", part)
        if found:
            params[found[1]] = int(found[2]) * _UNITS[found[3]]
    return "/".join(p for p in path if ":" not in p), params


def _start(target: Target) -> _Session:
    session = _Session(target)
    try:
        answer = session.ask({"cmd": "start", "protocol": 1}, _LIMIT)
    except _Gone as gone:
        session.close()
        raise MeasurementError(f"the adapter {gone}",
                               place=" ".join(target.command)) from gone
    if answer.get("protocol") != 1:
        session.close()
        raise MeasurementError("the adapter does not speak protocol 1",
                               place=" ".join(target.command))
    return session


def _numbers(answer: Mapping[str, Any], key: str) -> list[float]:
    values = answer[key]
    if not isinstance(values, list) or not all(
        isinstance(v, (int, float)) for v in values
    ):
        raise _Gone(f"gave {key} that are no numbers")
    if any(v < 0 for v in values):
        raise _Gone("has a clock that went backwards")
    return [float(v) for v in values]


def _pauses(answer: Mapping[str, Any]) -> tuple[Pauses, ...]:
    """What stopped it."""
    found = []
    for one in answer.get("pauses", ()):
        span = int(one["span"])
        listed = tuple((int(begin), int(length))
                       for begin, length in one["list"])
        if any(begin < 0 or length < 0 or begin + length > span
               for begin, length in listed):
            raise _Gone("tells pauses of another time than its own")
        found.append(Pauses(str(one["clock"]), span, listed))
    return tuple(found)


def _record(
    name: str, label: str, version: int, answer: Mapping[str, Any],
    elapsed: float,
) -> Record:
    error = None
    real: list[float] = []
    cpu: list[float] = []
    items = 1.0
    if "error" in answer:
        error = str(answer["error"].get("message", "it failed"))
    else:
        items = float(answer["items_per_sample"])
        real = _numbers(answer, "samples_ns")
        cpu = (_numbers(answer, "samples_cpu_ns")
               if "samples_cpu_ns" in answer else real)
        if not real or len(cpu) != len(real) or items < 1:
            raise _Gone("measured nothing")
    return Record(
        name=name, implementation=label, version=version,
        operations=max(1, int(items)), batches=1,
        cpu=tuple(ns / items for ns in cpu),
        real=tuple(ns / items for ns in real),
        counters=answer.get("counters", {}), pauses=_pauses(answer),
        involuntary=0,
        elapsed=elapsed, error=error,
    )


def bench_adapter(
    target: Target,
    label: str,
    versions: Mapping[str, int],
    min_time_ms: int,
    progress: Progress,
    without: Sequence[str] = (),
) -> tuple[list[Record], list[Crash]]:
    """Ask one adapter for every benchmark of `versions` (name: version) but
    those `without`; what it does not know is absent."""
    records: list[Record] = []
    crashes: list[Crash] = []
    session = _start(target)
    try:
        for number, (name, version) in enumerate(versions.items()):
            progress(number, len(versions))
            if name in without:
                continue
            workload, params = workload_of(name)
            begun = time.monotonic()
            try:
                answer = session.ask(
                    {"cmd": "bench", "seq": number, "workload": workload,
                     "params": params, "min_time_ms": min_time_ms}, _LIMIT)
                if answer.get("seq") != number:
                    raise _Gone("answered another question")
                if "unsupported" not in answer:
                    took = (time.monotonic() - begun) * 1e9
                    records.append(_record(name, label, version, answer,
                                           took))
            except (_Gone, KeyError, TypeError, ValueError,
                    AttributeError) as gone:
                how = (str(gone) if isinstance(gone, _Gone)
                       else f"gave a broken answer: {gone!r}")
                crashes.append(Crash(name, label, how))
                session.close()
                session = _start(target)
        progress(len(versions), len(versions))
    finally:
        session.close()
    return records, crashes
