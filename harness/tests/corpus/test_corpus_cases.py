# SPDX-License-Identifier: MIT
"""Cases: their frame, their expansion, and what they say of rules, traits
and processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

BODY = "program: [{log: a}]\nexpect: [a]"

# Title, the keys of a case from line 4 on, what is told.
WRONG = [
    ("unknown key", "expct: [a]\n" + BODY, [
        "4: unknown key `expct`; did you mean `expect`?"]),
    ("no expectation", "program: [{log: a}]", [
        "3: this case has no key `expect`; write `expect: ...`"]),
    ("program of a mapping", "program: {log: a}\nexpect: [a]", [
        "4: `program` must be a list, not a mapping"]),
    ("program without operations", "program: []\nexpect: []", [
        "4: the program is empty; write an operation at least"]),
    ("expectation of a number", "program: [{log: a}]\nexpect: 3", [
        "5: `expect` must be text or a list or a mapping, not 3"]),
    ("no runs", "runs: 0\n" + BODY, [
        "4: `runs` is 0; at least 1: how often the program runs (litmus "
        "test)"]),
    ("runs of text", "runs: many\n" + BODY, [
        "4: `runs` is `many`; how often the program runs (litmus test)"]),
    ("runs of a list", "runs: [1]\n" + BODY, [
        "4: `runs` must be an integer, not a list; how often the program "
        "runs (litmus test)"]),
    ("isolation", "isolation: proces\n" + BODY, [
        "4: `isolation` is `proces`; known: `shared`, `process`"]),
    ("pool", "pool: 2\n" + BODY, [
        "4: `pool` wants a process of its own; write `isolation: process` "
        "in the case"]),
    ("env", "env: {A: b}\n" + BODY, [
        "4: `env` wants a process of its own; write `isolation: process` in "
        "the case"]),
    ("capability", "needs: [loop.timeut]\n" + BODY, [
        "4: unknown capability `loop.timeut`; did you mean "
        "`loop.timeout`?"]),
    ("capability twice", "needs: [loop.fs, loop.fs]\n" + BODY, [
        "4: `needs` names something twice; take one away"]),
    ("trait", "traits: [timer-list]\n" + BODY, [
        "4: unknown trait `timer-list`; did you mean `timer-lists`?"]),
    ("trait excluded", "without:\n- timer-list\n" + BODY, [
        "5: unknown trait `timer-list`; did you mean `timer-lists`?"]),
    ("trait required and excluded",
     "traits: [timer-lists]\nwithout: [timer-lists]\n" + BODY, [
         "5: `timer-lists` is required and excluded; keep one of the two"]),
    ("expectation by an unknown trait",
     BODY + "\nexpect-by-trait:\n  timer-list: [a, a]", [
         "7: unknown trait `timer-list`; did you mean `timer-lists`?"]),
    ("expectation by an excluded trait",
     "without: [timer-lists]\n" + BODY
     + "\nexpect-by-trait: {timer-lists: [a, a]}", [
         "7: the expectation for `timer-lists` is never used: `without` "
         "excludes it; keep one of the two"]),
    ("expectation by a required trait",
     "traits: [timer-lists]\n" + BODY
     + "\nexpect-by-trait: {timer-lists: [a, a]}", [
         "7: `timer-lists` is required, so `expect` is never used; make this "
         "the `expect`"]),
    ("the same expectation twice",
     BODY + "\nexpect-by-trait: {timer-lists: [a]}", [
         "6: the expectation for `timer-lists` is the same as `expect`; "
         "remove it"]),
    ("the same expectation in other words",
     BODY + "\nexpect-by-trait: {timer-lists: {repeat: {of: a, min: 1, max: "
     "1}}}", [
         "6: the expectation for `timer-lists` is the same as `expect`; "
         "remove it"]),
    ("rule", "rule: LOOP-A-9\n" + BODY, [
        "4: unknown rule `LOOP-A-9`; did you mean `LOOP-A-2` or `LOOP-A-1`?"]),
    ("retired rule", "rule: LOOP-A-3\n" + BODY, [
        "4: the rule LOOP-A-3 was retired (spec/loop.md:8); cite a living "
        "rule, or remove the case"]),
    ("rule of a trait", "rule: LOOP-A-2\n" + BODY, [
        "4: the rule LOOP-A-2 belongs to the trait `timer-lists`, which this "
        "case does not name; write `traits: [timer-lists]`"]),
    ("timeout", "timeout: 0\n" + BODY, [
        "4: `timeout` is 0; at least 1: milliseconds for one run"]),
    ("file outside", "files: {../x: y}\n" + BODY, [
        "4: `../x` leads out of the case's directory; write a relative path "
        "without `..`"]),
    ("absolute file", "files: {/etc/x: y}\n" + BODY, [
        "4: `/etc/x` leads out of the case's directory; write a relative "
        "path without `..`"]),
    ("evidence", "evidence: {collections: 3}\n" + BODY, [
        "4: `collections` must be a mapping, not 3"]),
    ("disputed without a link", "disputed: {reason: x}\n" + BODY, [
        "4: `disputed` has no key `link`; write `link: ...`"]),
    ("explore for nothing", "explore: {}\n" + BODY, [
        "4: `explore` is empty; `skip: reason` keeps a pattern from being "
        "held against all that the reference can do, `subset: reason` lets "
        "it allow more"]),
    ("explore with a wrong key", "explore: {only: x}\n" + BODY, [
        "4: unknown key `only`; known: `skip` or `subset`"]),
    ("explore without a reason", "explore: {skip: ''}\n" + BODY, [
        "4: `skip` is empty; write one item at least"]),
    ("explore with two answers",
     "explore: {skip: x, subset: y}\n" + BODY, [
         "4: `explore` says one thing; write `skip: reason` or `subset: "
         "reason`"]),
    ("matrix without values", "matrix: {k: []}\n" + BODY, [
        "4: `k` is empty; write one item at least"]),
    ("matrix of lists", "matrix: {k: [[a]]}\n" + BODY, [
        "4: a list is no matrix value; write text, a number, or a row "
        "`{name: x, part: y}`"]),
    ("matrix key", "matrix: {K: [a]}\n" + BODY, [
        "4: `K` is no name for a matrix key; write lower-case words with `-` "
        "between them"]),
    ("matrix key not in the id", "matrix: {k: [a]}\n"
     "program: [{log: '{k}'}]\nexpect: ['{k}']", [
         "3: the id does not contain the matrix key `{k}`; without it two "
         "cases have one id; add it"]),
    ("braces without a matrix", "program: [{log: '{k}'}]\nexpect: ['{k}']", [
        "4: `{k}` stands here, but this case has no `matrix`; add it to "
        "`matrix`, or mend the text",
        "5: `{k}` stands here, but this case has no `matrix`; add it to "
        "`matrix`, or mend the text"]),
]


@pytest.mark.parametrize(
    "body, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_case_is_told_with_its_line(
    about: Callable[[str], list[str]], body: str, told: list[str]
) -> None:
    """Each mistake is one message."""
    assert about(body) == [f"x.yaml:{line}" for line in told]


FILES = [
    ("no rule", "cases:\n  - {id: a, program: [{log: a}], expect: [a]}\n", [
        "2: this case has no rule; write `rule: ...` in the case or at the "
        "file's top"]),
    ("no cases", "rule: LOOP-A-1\ncases: []\n", [
        "2: `cases` is empty; write one item at least"]),
    ("unknown key", "rul: X\ncases: [{id: a, program: [{log: a}], "
     "expect: [a], rule: LOOP-A-1}]\n", [
         "1: unknown key `rul`; did you mean `rule`?"]),
    ("no id", "rule: LOOP-A-1\ncases:\n  - program: [{log: a}]\n"
     "    expect: [a]\n", [
         "3: this case has no key `id`; write `id: ...`"]),
    ("id with spaces", "rule: LOOP-A-1\ncases:\n  - id: a b\n"
     "    program: [{log: a}]\n    expect: [a]\n", [
         "3: `id` is `a b`; permanent, says what is claimed: letters, "
         "digits, `.`, `_` and `-`"]),
    ("unused matrix key", """\
rule: LOOP-A-1
cases:
  - id: a-{k}
    matrix:
      k: [x, y]
    program: [{log: a}]
    expect: [a]
""", ["5: the matrix key `k` is not used; write \"{k}\" where it belongs, or "
      "take it away"]),
    ("unused part of a row", """\
rule: LOOP-A-1
cases:
  - id: a-{k}
    matrix:
      k: [{name: x, after: 3, spare: 4}]
    program: [{timeout: {after: '{k.after}', then: [{log: a}]}}]
    expect: [a]
""", ["5: the matrix key `k.spare` is not used; write \"{k.spare}\" where it "
      "belongs, or take it away"]),
    ("rows of different keys", """\
rule: LOOP-A-1
cases:
  - id: a-{k}
    matrix:
      k:
        - {name: x, after: 3}
        - {name: y, every: 3}
    program: [{timeout: {after: '{k.after}', then: [{log: a}]}}]
    expect: [a]
""", ["7: this row of `k` has other keys than the first one; give every row "
      "the same keys"]),
    ("unknown key of the matrix", """\
rule: LOOP-A-1
cases:
  - id: a-{kind}
    matrix: {kind: [tick]}
    program:
      - '{kin}': {then: [{log: a}]}
      - '{kind}': {then: [{log: b}]}
    expect: [a, b]
""", ["6: `{kin}` stands here, but the `matrix` has no such key; did you "
      "mean `kind`?"]),
    ("one combination is wrong", """\
rule: LOOP-A-1
cases:
  - id: a-{kind}
    matrix: {kind: [tick, tock, tack]}
    program: [{'{kind}': {then: [{log: a}]}}]
    expect: [a]
""", ["5: unknown operation `tock`; did you mean `tick`?"]),
    ("count of text after expansion", """\
rule: LOOP-A-1
cases:
  - id: a-{n}
    matrix: {n: [few]}
    runs: "{n}"
    program: [{log: a}]
    expect: [a]
""", ["5: `runs` is `few`; write a whole number from 1"]),
]


@pytest.mark.parametrize(
    "text, told", [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_wrong_file_is_told_with_its_line(
    complaints: Callable[[str], list[str]], text: str, told: list[str]
) -> None:
    """Each mistake is one message."""
    assert complaints(text) == [f"x.yaml:{line}" for line in told]


def test_a_matrix_makes_every_combination(read: Callable[[str], Any]) -> None:
    """The last key turns fastest; text that is exactly a name becomes the
    value itself, other text gets it spelt out; ids get it spelt for ids."""
    cases, problems = read("""\
rule: LOOP-A-1
cases:
  - id: "{kind}-of-{n}-{path}"
    claim: "{kind} takes {n}"
    matrix:
      kind: [timeout, interval]
      n: [1, 2.5]
      path: ["./a b"]
    runs: 10
    program:
      - "{kind}": {id: x, then: [{log: ["{kind}-{n}", "{n}"]}, {clear: x}]}
      - fs.stat: {path: "{path}"}
    expect: [["{kind}-{n}", {max: "{n}"}]]
""")
    assert problems.of("error", "unfinished") == []
    assert [case.id.split("/")[-1] for case in cases] == [
        "timeout-of-1-.-a-b", "timeout-of-2.5-.-a-b",
        "interval-of-1-.-a-b", "interval-of-2.5-.-a-b"]
    last = cases[-1]
    assert last.claim == "interval takes 2.5"
    assert last.program == [
        {"interval": {"id": "x", "then": [{"log": ["interval-2.5", 2.5]},
                                          {"clear": "x"}]}},
        {"fs.stat": {"path": "./a b"}},
    ]
    assert last.expect == {
        "seq": [{"ev": "interval-2.5", "value": {"max": 2.5}}]}
    assert [case.needs for case in cases] == [("loop.timeout", "loop.fs")] * 4


def test_rows_of_a_matrix_keep_values_together(
    read: Callable[[str], Any],
) -> None:
    """A row's name stands for it; its parts are reached with a dot."""
    cases, problems = read("""\
rule: LOOP-A-1
cases:
  - id: mode-{mode}
    matrix:
      mode:
        - {name: once, alive: true}
        - {name: default, alive: false}
    program: [{log: ["{mode}", "{mode.alive}"]}]
    expect: [["{mode}", "{mode.alive}"]]
""")
    assert problems.found == []
    assert [case.program for case in cases] == [
        [{"log": ["once", True]}], [{"log": ["default", False]}]]


def test_repeat_is_written_out_with_its_index(
    read: Callable[[str], Any],
) -> None:
    """$i outside, $j inside; alone it is a number; it can be counted on."""
    cases, problems = read("""\
rule: LOOP-A-1
cases:
  - id: x
    program:
      - repeat:
          times: 2
          do:
            - timeout: {id: t$i, after: $i*10+5, then: [{log: [t$i, $i]}]}
            - tick:
                then:
                  - repeat: {times: 2, do: [{log: [a$i-$j, "$j+1"]}]}
    expect:
      - for: {times: 2, do: [[a$i-0, 1], [a$i-1, 2]]}
      - for: {times: 2, do: [[t$i, $i]]}
""")
    assert problems.found == []
    assert cases[0].program == [
        {"timeout": {"id": "t0", "after": 5, "then": [{"log": ["t0", 0]}]}},
        {"tick": {"then": [{"log": ["a0-0", 1]}, {"log": ["a0-1", 2]}]}},
        {"timeout": {"id": "t1", "after": 15, "then": [{"log": ["t1", 1]}]}},
        {"tick": {"then": [{"log": ["a1-0", 1]}, {"log": ["a1-1", 2]}]}},
    ]


def test_a_case_takes_from_its_file_what_it_does_not_say(
    read: Callable[[str], Any],
) -> None:
    """rule, isolation, pool, runs; needs are added to."""
    cases, problems = read("""\
rule: LOOP-A-1
needs: [loop.work]
isolation: process
pool: 2
runs: 3
cases:
  - {id: a, program: [{log: x}], expect: [x]}
  - {id: b, program: [{log: x}], expect: [x], runs: 1, pool: 4, timeout: 9,
     needs: [loop.fs], env: {A: b}, files: {d/f: "{x}"}, claim: So it is,
     evidence: {rounds: {min: 2}}, disputed: {link: l, reason: r}}
  - {id: c, program: [{log: x}], expect: [x], explore: {subset: Others may}}
""")
    assert problems.found == []
    first, second, third = (case.record() for case in cases)
    assert "explore" not in first
    assert third["explore"] == {"subset": "Others may"}
    assert (first["rule"], first["level"]) == ("LOOP-A-1", "MUST")
    assert (first["isolation"], first["pool"], first["runs"]) == (
        "process", 2, 3)
    assert first["timeout_ms"] == 5000
    assert second["needs"] == ["loop.fs", "loop.work"]
    assert (second["pool"], second["runs"], second["timeout_ms"]) == (4, 1, 9)
    assert second["env"] == {"A": "b"} and second["files"] == {"d/f": "{x}"}
    assert second["evidence"] == {"rounds": {"min": 2}}
    assert second["disputed"] == {"link": "l", "reason": "r"}
    assert second["source"] == {"file": "x.yaml", "line": 8}


def test_a_wrong_case_does_not_hide_the_next_one(
    read: Callable[[str], Any],
) -> None:
    """What is right is read, whatever stands beside it."""
    cases, problems = read("""\
rule: LOOP-A-1
cases:
  - {id: a, program: [{log: x}]}
  - {id: b, program: [{log: x}], expect: [x]}
""")
    assert [case.id for case in cases] == ["loop/x/b"]
    assert len(problems.found) == 1
