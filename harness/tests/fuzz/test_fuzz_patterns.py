# SPDX-License-Identifier: MIT
"""The pattern of a set of traces allows that set and nothing else."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.corpus._language import traces
from plumbline.corpus._pattern import PatternReader
from plumbline.corpus._problems import Problems
from plumbline.corpus._yaml import Map, read_yaml
from plumbline.fuzz import pattern_of
from plumbline.fuzz._session import Trace


def allowed(wanted: set[Trace]) -> set[Trace]:
    """What the corpus makes of the pattern of these traces."""
    problems = Problems()
    text = json.dumps({"expect": pattern_of(wanted)})
    document = read_yaml(text.encode(), "f", problems)
    assert isinstance(document, Map)
    ir, _ = PatternReader("f", problems).read(document["expect"], 1)
    assert [str(problem) for problem in problems.of("error")] == []
    written = traces(ir)
    assert written is not None
    result: set[Trace] = set()
    for trace in written:
        events = [json.loads(event) for unit in trace for event in unit]
        result.add(tuple(
            event["ev"] if "value" not in event
            else (event["ev"], event["value"]["is"]) for event in events))
    return result


def merges(one: Trace, other: Trace) -> set[Trace]:
    if not one or not other:
        return {one + other}
    return {(one[0], *rest) for rest in merges(one[1:], other)} | {
        (other[0], *rest) for rest in merges(one, other[1:])}


EXAMPLES: dict[str, tuple[set[Trace], str]] = {
    "one": ({("a", "b")}, ""),
    "values": ({("a", ("b", True)), (("b", True), "a")}, "any-order"),
    "every order": (set(permutations(("a", "b", "c"))), "any-order"),
    "two chains": (merges(("a", "b"), ("c", "d")), "interleave"),
    "frame": ({("x", *m, "y") for m in merges(("a", "b"), ("c",))},
              "interleave"),
    "some orders": ({("a", "b", "c"), ("c", "b", "a")}, "one-of"),
    "not an event": ({("a", "b"), ("a",)}, "optional"),
    "nothing": ({(), ("a", "b"), ("b", "a")}, "optional"),
    "repeated": ({("a", "a", "b"), ("b", "a", "a")}, "one-of"),
    "one in the middle": ({("a", "b", "a"), ("a", "a")}, "optional"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_pattern_says_it_in_the_shortest_way(name: str) -> None:
    wanted, operator = EXAMPLES[name]
    assert allowed(wanted) == wanted
    assert operator in json.dumps(pattern_of(wanted))


EVENTS = st.sampled_from(["a", "b", "c", ("d", 1), ("d", "ok")])


@settings(max_examples=40, derandomize=True, deadline=None,
          suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.lists(EVENTS, max_size=5).map(lambda one: tuple(one)),
               min_size=1, max_size=6).filter(lambda one: one != {()}))
def test_any_set_is_allowed_exactly(wanted: set[Trace]) -> None:
    """Whatever the traces are."""
    assert allowed(wanted) == wanted
