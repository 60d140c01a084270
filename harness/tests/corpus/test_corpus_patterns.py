# SPDX-License-Identifier: MIT
"""Patterns: their judge form, and each way in which one can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from plumbline.corpus._language import traces



def ev(label: str, value: Any = None) -> dict[str, Any]:
    return {"ev": label} if value is None else {"ev": label, "value": value}


A, B, C = ev("a"), ev("b"), ev("c")

FORMS: list[tuple[str, dict[str, Any]]] = [
    ("a", A),
    ("[]", {"seq": []}),
    ("[a, b]", {"seq": [A, B]}),
    ("[[n, 1]]", {"seq": [ev("n", {"is": 1})]}),
    ("[[n, null]]", {"seq": [ev("n", {"is": None})]}),
    ("[[n, {min: 1}]]", {"seq": [ev("n", {"min": 1})]}),
    ("[[n, {max: 2.5, min: -1}]]", {"seq": [ev("n", {"min": -1,
                                                     "max": 2.5})]}),
    ("[[n, {near: 5, within: 1}]]", {"seq": [ev("n", {"near": 5,
                                                      "within": 1})]}),
    ("[[n, {type: 'null'}]]", {"seq": [ev("n", {"type": "null"})]}),
    ("[[n, {same-as: m}]]", {"seq": [ev("n", {"same_as": "m"})]}),
    ("{any-order: [a, [b, c]]}", {"any": [A, {"seq": [B, C]}]}),
    ("{any-order: [[[n, 1]], a]}",
     {"any": [{"seq": [ev("n", {"is": 1})]}, A]}),
    ("{interleave: [[a, {atomic: [b, c]}], a]}",
     {"interleave": [{"seq": [A, {"atomic": {"seq": [B, C]}}]}, A]}),
    ("{one-of: [[a, b], [b, a]]}",
     {"one": [{"seq": [A, B]}, {"seq": [B, A]}]}),
    ("[a, {optional: b}]", {"seq": [A, {"opt": B}]}),
    ("{repeat: {of: a}}", {"repeat": A, "min": 0, "max": None}),
    ("{repeat: {of: [a, b], min: 1, max: 3}}",
     {"repeat": {"seq": [A, B]}, "min": 1, "max": 3}),
    ("{for: {times: 2, do: [a, b]}}", {"seq": [A, B, A, B]}),
    ("[{for: {times: 2, do: [[n, $i]]}}, a]",
     {"seq": [ev("n", {"is": 0}), ev("n", {"is": 1}), A]}),
    ("{any-order: [{for: {times: 2, do: [[n, $i], a]}}, b]}",
     {"any": [{"seq": [ev("n", {"is": 0}), A]},
              {"seq": [ev("n", {"is": 1}), A]}, B]}),
    ("[{for: {times: 2, do: [{for: {times: 2, do: [[n, $i*10+5], [m, $j]]}}]}"
     "}]",
     {"seq": [ev("n", {"is": 5}), ev("m", {"is": 0}),
              ev("n", {"is": 5}), ev("m", {"is": 1}),
              ev("n", {"is": 15}), ev("m", {"is": 0}),
              ev("n", {"is": 15}), ev("m", {"is": 1})]}),
]


@pytest.mark.parametrize("text, form", FORMS, ids=[f[0] for f in FORMS])
def test_a_pattern_becomes_the_form_that_the_judge_matches(
    read: Callable[[str], Any], text: str, form: dict[str, Any]
) -> None:
    """Every operator and matcher, with lists in both of their meanings. The
    labels that the pattern leaves out go to another trait's expectation."""
    cases, problems = read(f"""\
rule: LOOP-A-1
cases:
  - id: x
    program:
      [{{log: a}}, {{log: b}}, {{log: c}}, {{log: [n, 1]}}, {{log: [m, 1]}}]
    expect: {text}
    expect-by-trait: {{timer-lists: [c, a, b, [n, 1], [m, 1]]}}
""")
    assert problems.of("error", "unfinished") == []
    assert cases[0].expect == form


# The pattern's line (6) and what is told of it; in a case that logs a and b
# without and n with a value.
WRONG = [
    ("unknown operator", "{any-ordr: [a]}", [
        "6: unknown pattern `any-ordr`; did you mean `any-order`?"]),
    ("two operators", "{any-order: [a], one-of: [b]}", [
        "6: a pattern has several keys; write one of `any-order`, "
        "`interleave`, `atomic`, `one-of`, `optional` or `repeat`"]),
    ("no operator", "[a, {}]", [
        "6: a pattern has no key; write one of `any-order`, "
        "`interleave`, `atomic`, `one-of`, `optional` or `repeat`"]),
    ("number as an event", "[a, 3]", [
        "6: an event must be a label, not 3; write text, or `[label, value]` "
        "in a sequence"]),
    ("list of three", "[[a, b, n]]", [
        "6: a list within a sequence is an event `[label, value]`; this one "
        "is not; name the block's operator (`any-order: [...]`), or take the "
        "inner brackets away"]),
    ("empty any-order", "{any-order: []}", [
        "6: `any-order` is empty; write `any-order: [block, block]`; a block "
        "of several events is a list"]),
    ("any-order of a mapping", "{any-order: {a: b}}", [
        "6: `any-order` must be a list, not a mapping; write `any-order: "
        "[block, block]`; a block of several events is a list"]),
    ("equal alternative", "{one-of: [[a, b], a, [a, b]]}", [
        "6: this alternative is unreachable: those before it allow all that "
        "it allows; remove it"]),
    ("covered alternative", "{one-of: [{any-order: [a, b]}, [b, a]]}", [
        "6: this alternative is unreachable: those before it allow all that "
        "it allows; remove it"]),
    ("alternative covered by two", "{one-of: [a, [a, b], [a, {optional: "
     "b}]]}", [
        "6: this alternative is unreachable: those before it allow all that "
        "it allows; remove it"]),
    ("one alternative", "{one-of: [a]}", [
        "6: `one-of` has a single alternative; add another, or take `one-of` "
        "away"]),
    ("nullable optional", "{optional: {optional: a}}", [
        "6: `optional` of a pattern that matches nothing anyway; take one of "
        "the two away"]),
    ("optional of a repeat from 0", "{optional: {repeat: {of: a}}}", [
        "6: `optional` of a pattern that matches nothing anyway; take one of "
        "the two away"]),
    ("nullable repeat", "{repeat: {of: {optional: a}, min: 1}}", [
        "6: `repeat` of a pattern that matches nothing; let each round have "
        "an event; `min: 0` allows none"]),
    ("repeat max 0", "{repeat: {of: a, max: 0}}", [
        "6: `repeat` at most 0 times matches nothing; leave the events out"]),
    ("repeat max below min", "{repeat: {of: a, min: 3, max: 2}}", [
        "6: `repeat` matches never: max 2 is less than min 3; swap them"]),
    ("repeat without of", "{repeat: a}", [
        "6: `repeat` wants a pattern and its bounds; write `repeat: {of: "
        "pattern, min: 1, max: 3}`"]),
    ("repeat with times", "{repeat: {of: a, times: 3}}", [
        "6: `repeat` has no key `times`; known: `of`, `min` or `max`"]),
    ("repeat half a time", "{repeat: {of: a, min: 0.5}}", [
        "6: `repeat.min` must be a whole number from 0, not 0.5"]),
    ("atomic in a sequence", "[{atomic: [a, b]}]", [
        "6: `atomic` stands in no `interleave`; it means something there "
        "only: take it away"]),
    ("min above max", "[[n, {min: 3, max: 2}]]", [
        "6: no value lies between min 3 and max 2; swap them"]),
    ("within below 0", "[[n, {near: 3, within: -2}]]", [
        "6: `within` is negative, so no value matches; write a distance"]),
    ("near alone", "[[n, {near: 3}]]", [
        "6: these keys are no value matcher; write `{min: a, max: b}`, "
        "`{near: x, within: y}`, `{type: number}` or `{same-as: label}`"]),
    ("unknown matcher", "[[n, {mni: 3}]]", [
        "6: unknown value matcher `mni`; did you mean `min`?"]),
    ("matcher of text", "[[n, {min: few}]]", [
        "6: `min` must be a number, not `few`"]),
    ("unknown type", "[[n, {type: integer}]]", [
        "6: unknown type `integer`; write `string`, `number`, `boolean` or "
        "`null`; null wants quotes"]),
    ("list as value", "[[n, [1]]]", [
        "6: a value is a list; write a literal or a matcher such as `{min: "
        "1, max: 5}`"]),
    ("same-as a number", "[[n, {same-as: 1}]]", [
        "6: `same-as` names a label, not 1"]),
    ("same as a label without value", "[[n, {same-as: a}]]", [
        "6: `a` is expected with a value, but logged without one; write "
        "`a`; a list within a sequence is [label, value]"]),
    ("ill-formed for", "[{for: {times: 3}}]", [
        "6: this `for` is ill-formed; write `for: {times: 3, do: [event, "
        "...]}` with 1 to 1000 times, at most three within each other"]),
    ("label that is never logged", "[a, zzz]", [
        "6: the label `zzz` is expected, but the program cannot log it; "
        "known: `a`, `b`, `n` or `immediate`"]),
    ("label that is nearly logged", "[a, immediat]", [
        "6: the label `immediat` is expected, but the program cannot log it; "
        "did you mean `immediate`?"]),
    ("value of a bare label", "[[a, b]]", [
        "6: `a` is expected with a value, but logged without one; write "
        "`a`; a list within a sequence is [label, value]"]),
    ("bare label with a value", "[n]", [
        "6: `n` is expected without a value, but logged with one; write "
        "`[n, value]`"]),
    ("exit in a shared process", "[[exit, 0]]", [
        "6: the label `exit` is expected, but the program cannot log it; "
        "only a case with `isolation: process` has it"]),
]


@pytest.mark.parametrize(
    "pattern, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_pattern_is_told_with_its_line(
    about: Callable[[str], list[str]], pattern: str, told: list[str]
) -> None:
    """Each mistake is one message; the labels that are left over are
    mentioned by another trait's expectation."""
    found = about(f"""\
program:
  [{{log: a}}, {{log: b}}, {{log: [n, 1]}}, {{log: immediate}}]
expect: {pattern}
expect-by-trait: {{timer-lists: [a, b, [n, 1], immediate]}}""")
    assert [f for f in found if "warning" not in f] == [
        f"x.yaml:{line}" for line in told]


def test_a_label_that_no_expectation_mentions_is_told(
    about: Callable[[str], list[str]],
) -> None:
    """Unless its name says that it never appears."""
    assert about("""\
program:
  - log: a
  - log: b
  - log: never-c
  - log: never
expect: [a]""") == [
        "x.yaml:6: the label `b` is logged, but no expectation mentions it; "
        "expect it, or call it `never-b` if it must not appear"]


def test_a_label_called_never_is_not_expected(
    about: Callable[[str], list[str]],
) -> None:
    """Names do not lie."""
    assert about("program:\n  - log: never-a\nexpect: [never-a]") == [
        "x.yaml:5: the label `never-a` is expected, though its name says "
        "never; take another name"]


def test_a_choice_with_one_run_is_worth_a_warning(
    about: Callable[[str], list[str]],
) -> None:
    """One run of a racy program proves little."""
    body = """\
program: [{log: a}, {log: b}]
expect: {any-order: [a, b]}"""
    assert about(body) == [
        "x.yaml:5: warning: an expectation with a choice, and the program "
        "runs once; write `runs: 20` or more (a litmus test), or the exact "
        "order"]
    assert about("runs: 20\n" + body) == []


def test_an_isolated_case_ends_with_exit_0_unless_it_says_how(
    read: Callable[[str], Any],
) -> None:
    """The end of the process is part of the trace."""
    cases, problems = read("""\
rule: LOOP-A-1
isolation: process
cases:
  - {id: a, program: [{log: x}], expect: [x]}
  - {id: b, program: [{log: x}], expect: x}
  - {id: c, program: [{throw: t}], expect: [[exit, 1]]}
  - {id: d, program: [{throw: t}], expect: [[signal, SIGABRT]]}
""")
    assert problems.found == []
    end = {"ev": "exit", "value": {"is": 0}}
    assert [case.expect for case in cases] == [
        {"seq": [ev("x"), end]},
        {"seq": [ev("x"), end]},
        {"seq": [ev("exit", {"is": 1})]},
        {"seq": [ev("signal", {"is": "SIGABRT"})]},
    ]


TRACES = [
    ({"seq": []}, [""]),
    ({"any": [A, {"seq": [B, C]}]}, ["abc", "bca"]),
    ({"interleave": [{"seq": [A, B]}, C]}, ["abc", "acb", "cab"]),
    ({"interleave": [{"atomic": {"seq": [A, B]}}, C]}, ["abc", "cab"]),
    ({"one": [A, {"opt": B}]}, ["", "a", "b"]),
    ({"repeat": {"one": [A, B]}, "min": 1, "max": 2},
     ["a", "aa", "ab", "b", "ba", "bb"]),
    ({"repeat": A, "min": 0, "max": None}, None),
    ({"any": [A] * 7}, None),
    ({"interleave": [{"seq": [ev(f"x{i}") for i in range(9)]},
                     {"seq": [ev(f"y{i}") for i in range(9)]}]}, None),
]


@pytest.mark.parametrize("pattern, allowed", TRACES)
def test_a_small_pattern_can_be_written_out(
    pattern: dict[str, Any], allowed: list[str] | None
) -> None:
    """The traces of each operator; None where there are too many."""
    found = traces(pattern)
    if found is None:
        assert allowed is None
    else:
        assert sorted(
            "".join(json.loads(event)["ev"] for (event,) in trace)
            for trace in found) == allowed
