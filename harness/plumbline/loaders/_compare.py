# SPDX-License-Identifier: MIT
"""Finds programs whose traces differ, and makes them smaller.

A difference is a trace, event by event: loading is deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.loaders._peers import Peer
from plumbline.loaders._random import Program, random_program

__all__ = ["Difference", "compare"]

_TRIES = 400


@dataclass(frozen=True)
class Difference:
    """A program, as small as it was found, and both traces."""

    program: Program
    peer: str
    reference: Sequence[Any]
    other: Sequence[Any]

    def lines(self) -> list[str]:
        """As text."""
        message = self.program.message()
        found = [f"seed {self.program.seed}: {self.peer} has another trace",
                 "  main:", *(f"    {op}" for op in message["main"])]
        for number, body in enumerate(message["bodies"]):
            found += [f"  body {number}:", *(f"    {op}" for op in body)]
        found.append(f"  files: {self.program.files}")
        at = next((i for i, (a, b) in enumerate(zip(self.reference, self.other))
                   if a != b), min(len(self.reference), len(self.other)))
        return [*found, f"  event {at}:",
                f"    reference: {self.reference[at:at + 3]}",
                f"    {self.peer}: {self.other[at:at + 3]}"]


def _smaller(program: Program) -> Iterator[Program]:
    for at in reversed(range(len(program.main))):
        yield program.without(None, at)
    for body, operations in enumerate(program.bodies):
        for at in reversed(range(len(operations))):
            yield program.without(body, at)


def _differs(program: Program, reference: Peer, other: Peer) -> bool:
    mine = reference.run(program)
    if mine and mine[0] and mine[0][0] in ("no events", "the adapter is gone"):
        return False
    return mine != other.run(program)


def _shrunk(program: Program, reference: Peer, other: Peer) -> Program:
    """Takes operations away while both still differ."""
    tries = 0
    again = True
    while again:
        again = False
        for one in _smaller(program):
            tries += 1
            if tries > _TRIES:
                return program
            if _differs(one, reference, other):
                program, again = one, True
                break
    return program


def compare(reference: Peer, others: Sequence[Peer],
            seeds: Iterable[int]) -> Iterator[Difference]:
    """The differences of the programs of these seeds."""
    for seed in seeds:
        program = random_program(seed)
        mine = reference.run(program)
        for other in others:
            if other.run(program) == mine:
                continue
            small = program
            if _differs(program, reference, other):
                small = _shrunk(program, reference, other)
            yield Difference(small, other.name, reference.run(small),
                             other.run(small))
