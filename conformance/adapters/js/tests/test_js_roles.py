# SPDX-License-Identifier: MIT
"""Programs of several processes, on every runtime that is here: who speaks
where, what is refused, and that every promised operation is known."""

from __future__ import annotations

import json
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import]

from js_driver import LONGEST, VOCABULARY, Adapter, Program


class Several:
    """Runs a program of several processes: the FIFO, and what came of it."""

    def __init__(self, folder: Path, adapter: Adapter) -> None:
        self.trace = folder / "trace"
        self.folder = folder
        self.adapter = adapter
        self.lines: list[dict[str, Any]] = []
        os.mkfifo(self.trace)

    def _read(self) -> None:
        with self.trace.open() as lines:
            self.lines += [json.loads(line) for line in lines]

    def run(self, main: Program, **roles: Program) -> list[dict[str, Any]]:
        """Every line of the trace, once all its writers have ended."""
        request = {
            "cmd": "run", "seq": 3, "files": {}, "dir": str(self.folder),
            "program": {"main": main, "roles": roles},
            "trace": str(self.trace), "peer": "/bin/false", "stream": True,
        }
        Path(f"{self.trace}.json").write_text(json.dumps(request))
        reader = threading.Thread(target=self._read)
        reader.start()
        self.adapter.say(request)
        self.adapter.end_input()
        assert self.adapter.hear() is None  # nothing on stdout
        assert self.adapter.process.wait(LONGEST) == 0
        reader.join(LONGEST)
        assert not reader.is_alive()
        return self.lines


@pytest.fixture
def several(adapter: Adapter, tmp_path: Path) -> Several:
    adapter.start()
    return Several(tmp_path, adapter)


@cache
def operations() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(
        (VOCABULARY / "ipc.yaml").read_text())["operations"]
    return loaded


def test_a_child_says_who_it_is(several: Several) -> None:
    """Events of the first process have no name, a child's have its id."""
    lines = several.run(
        [{"fork": {"id": "w", "role": "worker"}},
         {"when": {"of": "w", "event": "message",
                   "then": [{"log": ["got", "$result"]}]}}],
        worker=[{"send": {"value": {"a": 1}, "then": [{"disconnect": {}}]}},
                {"log": "here"}])
    events = {line.get("of", ""): line["event"] for line in lines}
    assert events == {"w": "here", "": ["got", '{"a":1}']}
    assert {line["seq"] for line in lines} == {3}


def test_a_process_does_not_hand_its_own_name_on(several: Several) -> None:
    """What tells a process who it is does not reach other programs."""
    lines = several.run(
        [{"spawn": {"id": "w", "role": "worker", "stdio": "ignore"}}],
        worker=[{"exec-file": {"command": "/usr/bin/env", "then": [
            {"given": {"name": "stdout-length", "log": "length"}}]}},
            {"parent.field": {"name": "env", "variable": "PLUMB_TRACE",
                              "log": "trace"}}])
    assert ["trace", "undefined"] in [line["event"] for line in lines]


@pytest.mark.parametrize("worker, told", [
    ([{"dance": {}}], "unsupported"),
    ([{"log": {}}], "error"),
    ([{"send": {"to": "nobody", "value": 1}}], "error"),
])
def test_a_role_is_checked_before_anything_runs(
    several: Several, worker: Program, told: str
) -> None:
    """What one role cannot do refuses the whole program."""
    lines = several.run(
        [{"log": "never"}, {"fork": {"id": "w", "role": "worker"}}],
        worker=worker)
    assert len(lines) == 1 and told in lines[0]


def test_what_a_peer_does_is_not_looked_at(several: Several) -> None:
    """Operations of a peer are none of the adapter's."""
    lines = several.run([{"log": "here"}], peer=[{"wire.line": {}}])
    assert [line["event"] for line in lines] == ["here"]


def test_every_operation_is_known(adapter: Adapter) -> None:
    """An operation with the argument null is malformed, not unknown; only of
    a capability that is not promised it may be unknown."""
    promised = set(adapter.start()["capabilities"])
    tried = 0
    for seq, (name, known) in enumerate(operations().items()):
        if known.get("only") != "peer":
            answer = adapter.run([{name: None}], seq)
            if known.get("capability") in {None, *promised}:
                assert "error" in answer, answer
                tried += 1
            elif "error" not in answer:
                assert answer["unsupported"] == f"operation `{name}`"
    assert tried
