# SPDX-License-Identifier: MIT
"""A runtime of a hundred lines, in two roles: the explorer and an adapter.

    fake_loop.py LIB --serve     answers programs with the one trace it has
    fake_loop.py MODE            an adapter; MODE says what is wrong with it

It knows ticks, microtasks, immediates and timeouts on a clock that jumps, and
does nothing for any other operation. Both roles are the same code, so what
an adapter does otherwise is its MODE and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

MODES = ("right", "microtasks-first", "deaf-to-clear", "crash", "hang",
         "garbage", "seq", "error", "unsupported", "flaky", "mute")


class Loop:
    """One program's run."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.trace: list[Any] = []
        self.ticks: deque[Callable[[], None]] = deque()
        self.microtasks: deque[Callable[[], None]] = deque()
        self.immediates: list[tuple[dict[str, bool], Callable[[], None]]] = []
        self.timers: list[tuple[float, int, dict[str, bool],
                                Callable[[], None], float]] = []
        self.cells: dict[str, dict[str, bool]] = {}
        self.now = 0.0
        self.order = 0

    def run(self, main: list[Any]) -> list[Any]:
        self.body(main)
        self.drain()
        while self.timers or self.immediates:
            if not self.immediates:
                self.now = max(self.now, min(self.timers)[0])
            self.run_timers()
            waiting, self.immediates = self.immediates, []
            for cell, call in waiting:
                self.call(cell, call)
        return self.trace

    def run_timers(self) -> None:
        due = sorted(timer for timer in self.timers if timer[0] <= self.now)
        for timer in due:
            self.timers.remove(timer)
            _, _, cell, call, every = timer
            if cell["live"]:
                self.call(cell, call)
                if every and cell["live"]:
                    self.arm(every, cell, call, every)

    def call(self, cell: dict[str, bool], call: Callable[[], None]) -> None:
        if cell["live"]:
            call()
            self.drain()

    def drain(self) -> None:
        first, second = self.ticks, self.microtasks
        if self.mode == "microtasks-first":
            first, second = second, first
        while first or second:
            queue = first or second
            while queue:
                queue.popleft()()

    def arm(self, after: float, cell: dict[str, bool],
            call: Callable[[], None], every: float = 0) -> None:
        self.order += 1
        self.timers.append((self.now + max(1.0, after), self.order, cell,
                            call, every))

    def body(self, ops: list[Any]) -> None:
        for op in ops:
            ((name, value),) = op.items()
            self.operation(name, value)

    def operation(self, name: str, value: Any) -> None:
        if name == "log":
            self.trace.append(value if isinstance(value, str)
                              else [value[0], "value"])
        elif name == "block":
            self.now += value
        elif name == "clear":
            # Without intervals that clear themselves no program would end.
            if self.mode != "deaf-to-clear" or value.startswith("interval"):
                self.cells[value]["live"] = False
        elif isinstance(value, dict):
            self.make(name, value)

    def make(self, name: str, value: dict[str, Any]) -> None:
        bodies = value.get("each") or [value.get("then", [])]
        calls = [0]

        def call() -> None:
            calls[0] += 1
            self.body(bodies[min(calls[0], len(bodies)) - 1])

        cell = {"live": True}
        self.cells[value.get("id", "")] = cell
        if name == "tick":
            self.ticks.append(call)
        elif name == "microtask":
            self.microtasks.append(call)
        elif name == "immediate":
            self.immediates.append((cell, call))
        elif name == "timeout":
            self.arm(value["after"], cell, call)
        elif name == "interval":
            self.arm(value["every"], cell, call, value["every"])


def explorer() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        trace = Loop("right").run(question["program"]["main"])
        print(json.dumps({"traces": [trace], "complete": True, "runs": 1,
                          "states": 1}), flush=True)


def adapter(mode: str) -> None:
    marked = 0
    for line in sys.stdin:
        command = json.loads(line)
        if command["cmd"] == "start":
            print(json.dumps({
                "protocol": 1,
                "implementation": {"name": "fake", "version": "1.0",
                                   "language": "Python", "homepage": None},
                "capabilities": ["loop.timeout", "loop.immediate",
                                 "loop.tick", "loop.microtask"],
                "traits": ["timers-after-poll", "timer-lists",
                           "zero-timer-next-iteration"],
            }), flush=True)
            continue
        answer: dict[str, Any] = {"seq": command["seq"]}
        if '"immediate"' in json.dumps(command["program"]):
            marked += 1
            answer |= misbehave(mode, marked)
        if len(answer) == 1:
            answer["events"] = Loop(mode).run(command["program"]["main"])
            answer["evidence"] = {}
            if mode == "flaky" and marked == 3:
                answer["events"].append("once")
        print(json.dumps(answer), flush=True)


def misbehave(mode: str, marked: int) -> dict[str, Any]:
    """What goes wrong with a program that has an immediate."""
    if mode == "crash":
        print("about to fail", file=sys.stderr, flush=True)
        os.abort()
    if mode == "hang":
        time.sleep(60)
    if mode == "garbage":
        print("Segmentation fault", flush=True)
    if mode == "seq":
        return {"seq": -1, "events": []}
    if mode == "error":
        return {"error": {"message": "it cannot be", "detail": None}}
    return {}


if __name__ == "__main__":
    if sys.argv[-1] == "--serve":
        explorer()
    elif sys.argv[1] == "unsupported":
        for text in sys.stdin:
            told = json.loads(text)
            if told["cmd"] == "run":
                print(json.dumps({"seq": told["seq"],
                                  "unsupported": "everything"}), flush=True)
            else:
                print(json.dumps({
                    "protocol": 1,
                    "implementation": {"name": "fake", "version": "1.0"},
                    "capabilities": ["loop.timeout", "loop.immediate"],
                    "traits": []}), flush=True)
    elif sys.argv[1] != "mute":
        adapter(sys.argv[1])
