# SPDX-License-Identifier: MIT
"""Which traces a small pattern allows, written out.

With the traces at hand "this alternative is unreachable" is a question of
sets, however differently two patterns are written. Values stand for
themselves: two matchers are one only when they are written alike. A pattern
with more traces than is worth writing out has None for an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import permutations
from math import comb
from typing import Any, TypeAlias

__all__ = ["traces"]

# A trace is a tuple of units, and a unit a tuple of events between which
# nothing may come (`atomic`; else a single event).
_Unit: TypeAlias = tuple[str, ...]
_Trace: TypeAlias = tuple[_Unit, ...]
_Traces: TypeAlias = frozenset[_Trace]

_MOST = 2_000
_EMPTY: _Traces = frozenset([()])


class _TooMany(Exception):
    """More traces than are worth writing out."""


def _bounded(found: Iterable[_Trace]) -> _Traces:
    result: set[_Trace] = set()
    for trace in found:
        result.add(trace)
        if len(result) > _MOST:
            raise _TooMany
    return frozenset(result)


def _then(first: _Traces, second: _Traces) -> _Traces:
    return _bounded(a + b for a in first for b in second)


def _sequence(parts: Iterable[_Traces]) -> _Traces:
    result = _EMPTY
    for part in parts:
        result = _then(result, part)
    return result


def _merges(a: _Trace, b: _Trace) -> Iterable[_Trace]:
    """Every merge of two traces that keeps the order of each."""
    if not a or not b:
        yield a + b
        return
    for rest in _merges(a[1:], b):
        yield (a[0], *rest)
    for rest in _merges(a, b[1:]):
        yield (b[0], *rest)


def _counted(a: _Trace, b: _Trace) -> Iterable[_Trace]:
    """The merges of two traces, when they are not too many."""
    if comb(len(a) + len(b), len(a)) > _MOST:
        raise _TooMany
    return _merges(a, b)


def _flat(found: _Traces) -> _Traces:
    """What an `atomic` held together is plain events outside."""
    return frozenset(
        tuple((event,) for unit in trace for event in unit)
        for trace in found)


def _repeat(pattern: Mapping[str, Any]) -> _Traces:
    if pattern["max"] is None or pattern["max"] > 50:
        raise _TooMany
    once = _traces(pattern["repeat"])
    result: set[_Trace] = set()
    rounds = _EMPTY
    for count in range(pattern["max"] + 1):
        if count >= pattern["min"]:
            result |= rounds
        if count < pattern["max"]:
            rounds = _then(rounds, once)
    return _bounded(result)


def _traces(pattern: Mapping[str, Any]) -> _Traces:
    kind = next(iter(pattern))
    if kind == "ev":
        return frozenset([((json.dumps(pattern, sort_keys=True),),)])
    if kind == "opt":
        return _traces(pattern[kind]) | _EMPTY
    if kind == "repeat":
        return _repeat(pattern)
    if kind == "atomic":
        return frozenset(
            (tuple(event for unit in trace for event in unit),)
            if trace else () for trace in _traces(pattern[kind]))
    if len(pattern[kind]) > 200:
        raise _TooMany
    parts = [_traces(part) for part in pattern[kind]]
    if kind == "seq":
        return _sequence(parts)
    if kind == "one":
        return _bounded(trace for part in parts for trace in part)
    if kind == "any":
        if len(parts) > 6:
            raise _TooMany
        return _bounded(trace for order in permutations(parts)
                        for trace in _sequence(order))
    result = _EMPTY
    for part in parts:
        result = _bounded(merge for a in result for b in part
                          for merge in _counted(a, b))
    return _flat(result)


def traces(pattern: Mapping[str, Any]) -> _Traces | None:
    """Every trace that a compiled pattern allows, or None."""
    try:
        return _flat(_traces(pattern))
    except _TooMany:
        return None
