#!/usr/bin/env python3
"""An adapter that lets Plumbline judge @NAME@.

It reads a command per line on stdin and answers each with a line on stdout;
stderr is a free log. The protocol: conformance/schema/protocol.schema.json;
the operations: conformance/spec/vocabulary.md.
"""

import heapq
import json
import math
import sys
import time

IMPLEMENTATION = {"name": "@NAME@", "version": "0.1.0", "language": "Python",
                  "homepage": ""}
# A capability promises its operations; a program that needs one you have not
# promised is not sent. Traits are legitimate variants: see vocabulary.md.
CAPABILITIES = ["loop.timeout"]
TRAITS = []


# ----------------------------------------------------------------------------
# The implementation under test. Put yours in its place.


class Loop:
    """A loop with timers alone."""

    def __init__(self):
        self.heap = []
        self.made = 0

    def set_timeout(self, callback, delay, every=None):
        """Like setTimeout and, with `every`, setInterval; gives a handle."""
        handle = {"callback": callback, "every": every, "cleared": False}
        self._start(handle, delay)
        return handle

    def clear(self, handle):
        handle["cleared"] = True

    def run(self):
        """Until nothing is left."""
        while self.heap:
            due, _, handle = heapq.heappop(self.heap)
            if handle["cleared"]:
                continue
            time.sleep(max(0.0, due - time.monotonic()))
            handle["callback"]()
            if handle["every"] is not None and not handle["cleared"]:
                self._start(handle, handle["every"])

    def _start(self, handle, delay):
        self.made += 1
        due = time.monotonic() + delay / 1000
        heapq.heappush(self.heap, (due, self.made, handle))


# ----------------------------------------------------------------------------


def milliseconds(value):
    """The delay that Node makes of a value: whole, from 1 to 2^31 - 1."""
    number = float("nan") if value in (None, "undefined") else float(value)
    if math.isnan(number) or not 1 <= number <= 2**31 - 1:
        return 1
    return int(number)


class Unsupported(Exception):
    """The program has something that this adapter does not know."""


class Program:
    """Checks a program, then runs it and collects its events."""

    OPERATIONS = {"log", "block", "timeout", "interval", "clear"}
    VALUES = {"$count", "$elapsed"}

    def __init__(self, record):
        self.record = record
        self.loop = Loop()
        self.objects = {}
        self.begun = time.monotonic()
        self.count = 0

    def check(self, body):
        """Nothing may run before everything in it is known."""
        for operation in body:
            (name, value), = operation.items()
            if name not in self.OPERATIONS:
                raise Unsupported(f"the operation {name}")
            if name == "log" and isinstance(value, list):
                logged = value[1]
                if (isinstance(logged, str) and logged.startswith("$")
                        and logged not in self.VALUES):
                    raise Unsupported(f"the value {logged}")
            if isinstance(value, dict):
                for inner in [value.get("then", []), *value.get("each", [])]:
                    self.check(inner)

    def perform(self, body):
        for operation in body:
            (name, value), = operation.items()
            getattr(self, "op_" + name)(value)

    def callback(self, value):
        """`then` is the body of every call; of `each` the first call gets the
        first, and the last body serves every further call."""
        bodies = value.get("each") or [value.get("then", [])]
        calls = 0

        def call():
            nonlocal calls
            calls += 1
            self.count = calls
            self.perform(bodies[min(calls, len(bodies)) - 1])

        return call

    def op_log(self, value):
        if isinstance(value, list):
            label, logged = value
            if logged == "$count":
                logged = self.count
            elif logged == "$elapsed":
                logged = int((time.monotonic() - self.begun) * 1000)
            value = [label, logged]
        self.record(value)

    def op_block(self, value):
        end = time.monotonic() + value / 1000
        while time.monotonic() < end:
            pass

    def op_timeout(self, value):
        handle = self.loop.set_timeout(
            self.callback(value), milliseconds(value.get("after")))
        if "id" in value:
            self.objects[value["id"]] = handle

    def op_interval(self, value):
        every = milliseconds(value.get("every"))
        handle = self.loop.set_timeout(self.callback(value), every, every)
        if "id" in value:
            self.objects[value["id"]] = handle

    def op_clear(self, value):
        self.loop.clear(self.objects[value])


def answer(message):
    """One line, at once: in a streamed run nothing may be lost at the end."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def run(command):
    """Answer a run; True where the process must end with it."""
    seq = command["seq"]
    streamed = command.get("stream", False)
    events = []

    def record(event):
        if streamed:
            answer({"seq": seq, "event": event})
        else:
            events.append(event)

    program = Program(record)
    try:
        if set(command["program"]) - {"main", "pool"}:
            raise Unsupported("programs of this kind")
        program.check(command["program"]["main"])
    except Unsupported as why:
        answer({"seq": seq, "unsupported": str(why)})
        return streamed
    program.perform(command["program"]["main"])
    program.loop.run()
    if not streamed:
        answer({"seq": seq, "events": events})
    return streamed


def main():
    for line in sys.stdin:
        command = json.loads(line)
        if command["cmd"] == "start":
            answer({"protocol": 1, "implementation": IMPLEMENTATION,
                    "capabilities": CAPABILITIES, "traits": TRAITS})
        elif command["cmd"] == "run":
            if run(command):
                return
        elif command["cmd"] == "stop":
            return
        else:
            answer({"seq": command["seq"],
                    "unsupported": f"the command {command['cmd']}"})


if __name__ == "__main__":
    main()
