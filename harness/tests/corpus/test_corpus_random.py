# SPDX-License-Identifier: MIT
"""Whatever a file holds, it is told and never a traceback."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.corpus import pattern_to_text, program_to_js, program_to_text
from plumbline.corpus._cases import Case, CaseReader
from plumbline.corpus._expectations import read_expectations
from plumbline.corpus._problems import Problems
from plumbline.corpus._rules import Rules, read_rules
from plumbline.corpus._vocabulary import Vocabulary, read_vocabulary

relaxed = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture,
                           HealthCheck.too_slow])

# Pieces of which files could be made by somebody in a hurry.
_PIECES = st.sampled_from([
    "rule: LOOP-A-1\n", "cases:\n", "  - id: a\n", "    program: ",
    "    expect: ", "[", "]", "{", "}", "- ", ": ", "\n", "  ", "\t", '"',
    "'", "log: a", "{log: a}", "[a]", "&x ", "*x", "!!int ", "yes", "010",
    "~", "? ", "| ", "> ", "<<: ", "#", "---\n", "$i", "{k}", "matrix: ",
    "repeat: {times: 3, do: ", "for: {times: 2, do: ", "any-order: ", "\0",
    "\ufeff", "é", "%", "@", "1e9", "-", ".inf", "\x85", "\u2028",
])


def check(text: str | bytes, vocabulary: Vocabulary, rules: Rules) -> None:
    """Read as each kind of file; every problem has a line of the file."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(
        text, str) else text
    problems = Problems()
    cases = CaseReader(vocabulary, rules, problems).read("f", data, "loop")
    read_expectations({"f": data}, cases, problems)
    read_rules({"f.md": data}, {}, problems)
    read_vocabulary({"f": data}, problems)
    lines = data.count(b"\n") + data.count(b"\r") + 2
    for problem in problems.found:
        assert 1 <= problem.line <= lines + 10, str(problem)
        assert "\n" not in problem.text
    render(cases)


def render(cases: list[Case]) -> None:
    """What was read can be written and shown."""
    for case in cases:
        record: dict[str, Any] = json.loads(json.dumps(case.record()))
        pattern_to_text(record["expect"])
        program_to_text(record["program"])
        program_to_js(record["program"])


@given(st.lists(_PIECES, max_size=40).map("".join))
@relaxed
def test_text_that_looks_like_yaml_is_told(
    vocabulary: Vocabulary, rules: Rules, text: str
) -> None:
    """Pieces of case files in any order."""
    check(text, vocabulary, rules)


@given(st.binary(max_size=200))
@relaxed
def test_any_bytes_are_told(
    vocabulary: Vocabulary, rules: Rules, data: bytes
) -> None:
    """Not even text."""
    check(data, vocabulary, rules)


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(),
    st.sampled_from(["a", "$i", "$result", "$active:x", "{k}", "x", "exit",
                     "NaN", "tick", "", "never-a"]),
    st.text(max_size=5))
_NAMES = [
    "log", "timeout", "tick", "timer", "close", "clear", "chain", "repeat",
    "run", "throw", "reject", "handle", "log", "for", "any-order", "one-of",
    "interleave", "atomic", "optional", "of", "min", "max", "near", "within",
    "type", "same-as", "id", "then", "each", "times", "do", "after", "event",
]
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3)),
    max_leaves=25)
_CASES = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "a-{k}", 3]),
     "program": st.lists(_VALUES, max_size=4), "expect": _VALUES},
    optional={
        "matrix": st.one_of(_VALUES, st.just({"k": ["a", 1]})),
        "runs": _SCALARS, "isolation": st.sampled_from(["process", 3]),
        "expect-by-trait": st.dictionaries(
            st.sampled_from(["timer-lists", "x"]), _VALUES, max_size=2),
        "needs": _VALUES, "files": _VALUES, "evidence": _VALUES,
        "disputed": _VALUES, "env": _VALUES, "pool": _SCALARS,
        "traits": _VALUES,
    })


@given(st.lists(_CASES, max_size=3))
@relaxed
def test_cases_of_any_shape_are_told(
    vocabulary: Vocabulary, rules: Rules, cases: list[Any]
) -> None:
    """JSON is YAML: frames that are right around insides that are not."""
    check(json.dumps({"rule": "LOOP-A-1", "cases": cases}, indent=1),
          vocabulary, rules)
