# SPDX-License-Identifier: MIT
"""Random programs of modules, and how a difference is found in one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from plumbline.fuzz._lines import Lines
from plumbline.loaders import Peer, Program, compare, random_program

Operation = dict[str, Any]


def every(operations: Sequence[Operation]) -> Iterator[tuple[str, Any]]:
    for operation in operations:
        yield from operation.items()


class Pretender(Peer):
    """Tells the names of a program's operations; one kind it tells wrongly."""

    def __init__(self, name: str, wrong: str | None = None) -> None:
        super().__init__(name, ["nothing"])
        self.wrong = wrong

    def run(self, program: Program) -> list[Any]:
        told: list[Any] = []
        for body in (program.main, *program.bodies):
            told += [[name, name != self.wrong] for name, _ in every(body)]
        return told


def test_a_seed_is_one_program() -> None:
    one, same, other = (random_program(n) for n in (7, 7, 8))
    assert one == same
    assert one.message() != other.message()


def test_programs_end() -> None:
    """Where bodies delete, they require only what comes later."""
    for seed in range(300):
        program = random_program(seed)
        deletes = any(name == "cache.delete"
                      for body in program.bodies for name, _ in every(body))
        if not deletes:
            continue
        for number, body in enumerate(program.bodies):
            for name, given in every(body):
                if name not in ("require", "module.load"):
                    continue
                asked = "".join(c for c in given["specifier"] if c.isdigit())
                assert not asked or int(asked) > number or "link" in str(given)


def test_main_catches_every_error() -> None:
    for seed in range(100):
        for name, given in every(random_program(seed).main):
            assert name not in ("require", "resolve") or "log" in given


def test_all_kinds_of_operations_are_made() -> None:
    names = {name for seed in range(200) for body in
             (random_program(seed).main, *random_program(seed).bodies)
             for name, _ in every(body)}
    assert names >= {"require", "resolve", "module.load", "module.throw",
                     "cache.delete", "cache.put", "cache.clear", "cache.state",
                     "cache.files", "exports.set", "exports.replace",
                     "exports.rebind", "tree.write", "module", "error"}


def test_equal_peers_do_not_differ() -> None:
    assert not list(compare(Pretender("a"), [Pretender("b")], range(20)))


def test_a_difference_is_made_as_small_as_it_can_be() -> None:
    found = list(compare(Pretender("a"), [Pretender("b", "module.throw")],
                         range(40)))
    assert found
    for one in found:
        left = [name for body in (one.program.main, *one.program.bodies)
                for name, _ in every(body)]
        assert left == ["module.throw"]
        assert f"seed {one.program.seed}" in one.lines()[0]


def test_an_adapter_that_ends_is_a_trace_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [{"capabilities": ["modules.require"]},
               {"seq": 1, "error": {"message": "no", "detail": None}}]
    monkeypatch.setattr(Lines, "start", lambda self: None)
    monkeypatch.setattr(Lines, "ask", lambda self, message, seconds:
                        answers.pop(0))
    events = Peer("x", ["nothing"]).run(random_program(1))
    assert events[0][0] == "no events"
    assert json.loads(events[0][1])["error"]["message"] == "no"
