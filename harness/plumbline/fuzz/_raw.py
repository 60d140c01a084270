# SPDX-License-Identifier: MIT
"""Sketches of programs: trees without names, from which programs are made.

A sketch says what kind of thing happens where, and with a number which object
or delay is meant. Any sketch, and any part of one, becomes a program that is
well formed (_runtime.py, _handles.py leave out what cannot be). So Hypothesis
shrinks by cutting and lessening, and never meets a program that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from hypothesis import strategies as st

__all__ = ["Body", "Op", "Program", "Sketch", "bodies"]

# An operation as it stands in a program, and a body of them.
Op: TypeAlias = "dict[str, object]"
Program: TypeAlias = "list[Op]"


@dataclass(frozen=True)
class Sketch:
    """One operation: its word, a number, and the bodies of its callback."""

    word: str
    number: int = 0
    bodies: tuple[tuple[Sketch, ...], ...] = field(default=())


Body: TypeAlias = tuple[Sketch, ...]

_NUMBERS = st.integers(0, 15)


@lru_cache(maxsize=None)
def bodies(
    makers: tuple[str, ...], others: tuple[str, ...], depth: int, most: int
) -> st.SearchStrategy[Body]:
    """Bodies of at most `most` operations: `makers` have callbacks, at most
    `depth` deep, `others` have none. A word may stand in them twice, to be
    drawn more often; what stands first is what is shrunk to."""
    ops: list[st.SearchStrategy[Sketch]] = []
    if others:
        ops.append(st.builds(Sketch, st.sampled_from(others), _NUMBERS))
    if makers:
        inner: st.SearchStrategy[Sequence[Body]] = st.just(((),))
        if depth > 0:
            inner = st.lists(
                bodies(makers, others, depth - 1, 3), min_size=1, max_size=3
            )
        maker = st.builds(
            Sketch, st.sampled_from(makers), _NUMBERS, inner.map(tuple)
        )
        ops += [maker, maker]
    if not ops:
        return st.just(())
    return st.lists(st.one_of(*ops), max_size=most).map(tuple)
