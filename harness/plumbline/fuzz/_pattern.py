# SPDX-License-Identifier: MIT
"""From a set of traces to the pattern that allows exactly those.

A sequence where there is one trace; what all have in common in front and at
the end stays a sequence; between, any-order or interleave where the set is
every merge of some chains, else one-of.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import factorial
from typing import Any, TypeAlias

from plumbline.fuzz._session import Trace

__all__ = ["pattern_of"]

Pattern: TypeAlias = Any


def _events(trace: Trace) -> list[Any]:
    return [event if isinstance(event, str) else list(event)
            for event in trace]


def _key(trace: Trace) -> str:
    return repr(trace)


def _common(traces: list[Trace]) -> int:
    """How many events all begin with."""
    length = min(len(trace) for trace in traces)
    for at in range(length):
        if any(trace[at] != traces[0][at] for trace in traces):
            return at
    return length


def _chains(traces: list[Trace]) -> list[Trace] | None:
    """Chains of which the traces are every merge, or None."""
    events = set(traces[0])
    if any(len(trace) != len(events) or set(trace) != events
           for trace in traces):
        return None
    places = [{event: at for at, event in enumerate(trace)}
              for trace in traces]

    def ordered(one: Any, other: Any) -> bool:
        return len({place[one] < place[other] for place in places}) == 1

    chains: list[list[Any]] = []
    for event in traces[0]:
        tied = [chain for chain in chains
                if any(ordered(event, other) for other in chain)]
        for chain in tied:
            chains.remove(chain)
        chains.append([one for chain in tied for one in chain] + [event])
    merges = factorial(len(events))
    for chain in chains:
        for at, one in enumerate(chain):
            if any(places[0][one] > places[0][other] or
                   not ordered(one, other) for other in chain[at + 1:]):
                return None
        merges //= factorial(len(chain))
    if merges != len(traces):
        return None
    return [tuple(chain) for chain in chains]


def _choice(traces: list[Trace]) -> Pattern:
    """A pattern for traces that differ."""
    if () in traces:
        rest = [trace for trace in traces if trace]
        return {"optional": _whole(rest)}
    chains = _chains(traces)
    if chains is None:
        return {"one-of": [_events(trace) for trace in traces]}
    if all(len(chain) == 1 for chain in chains):
        return {"any-order": [_events(chain) for chain in chains]}
    return {"interleave": [_events(chain) for chain in chains]}


def _whole(traces: list[Trace]) -> list[Pattern]:
    if len(traces) == 1:
        return _events(traces[0])
    begin = _common(traces)
    rest = [trace[begin:] for trace in traces]
    end = _common([trace[::-1] for trace in rest])
    middles = [trace[:len(trace) - end] for trace in rest]
    return [
        *_events(traces[0][:begin]),
        _choice(middles),
        *_events(rest[0][len(rest[0]) - end:]),
    ]


def pattern_of(traces: Iterable[Trace]) -> list[Pattern]:
    """The pattern, as it stands in a case file."""
    return _whole(sorted(set(traces), key=_key))
