# SPDX-License-Identifier: MIT
"""Files of known failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.corpus._expectations import UNWRITTEN, read_expectations
from plumbline.corpus._problems import Problems

CASES = """\
rule: LOOP-A-1
cases:
  - {id: one, program: [{log: a}], expect: [a]}
  - {id: two, program: [{log: a}], expect: [a]}
"""

HEAD = "expectations:\n"
WRONG = [
    ("empty", "", [
        "1: the file is no list of expectations; write `expectations: "
        "[...]`"]),
    ("a list", "- case: x\n", [
        "1: the file is no list of expectations; write `expectations: "
        "[...]`"]),
    ("unknown key of the file", HEAD + "  []\nmore: 1\n", [
        "3: unknown key `more`; known: `expectations`"]),
    ("text", HEAD + "  - loop/x/one\n", [
        "2: an expectation must be a mapping, not `loop/x/one`; write "
        "`case: ...` and `reason: ...`"]),
    ("no reason", HEAD + "  - case: loop/x/one\n", [
        "2: this expectation has no `reason`; say why it differs"]),
    ("empty reason", HEAD + "  - case: loop/x/one\n    reason:\n", [
        "3: `reason` must be text, not nothing (null); say why it differs"]),
    ("no case", HEAD + "  - reason: so\n", [
        "2: this expectation has no `case`; write a glob over case ids"]),
    ("matches nothing", HEAD + "  - {case: loop/x/oen, reason: r}\n", [
        "2: `loop/x/oen` matches no case; did you mean `loop/x/one`?"]),
    ("unknown key", HEAD + "  - {case: loop/x/one, reson: r, reason: r}\n", [
        "2: unknown key `reson`; did you mean `reason`?"]),
    ("unknown verdict",
     HEAD + "  - {case: loop/x/one, reason: r, verdict: fails}\n", [
         "2: unknown verdict `fails`; known: `pass`, `fail`, `unsupported`, "
         "`inconclusive`, `timeout`, `crash`, `error`, `leaked` or `flaky`"]),
    ("only pass", HEAD + "  - {case: loop/x/one, reason: r, verdict: pass}\n",
     ["2: to pass is expected anyway; remove the entry"]),
    ("no verdict", HEAD + "  - {case: loop/x/one, reason: r, verdict: []}\n",
     ["2: `verdict` is empty; leave it out for `fail`"]),
    ("version as a number",
     HEAD + "  - {case: loop/x/one, reason: r, versions: [20.10]}\n", [
         "2: 20.1 is no version; write its prefix in quotes: \"20.10\""]),
    ("versions as text",
     HEAD + "  - {case: loop/x/one, reason: r, versions: '20'}\n", [
         "2: `versions` must be a list, not `20`; write [\"12\", \"20.1\"], "
         "or leave it out for all"]),
    ("not YAML", HEAD + "  - {case: [\n", [
        "2: not YAML: did not find expected node content; a bracket is not "
        "closed"]),
]


@pytest.mark.parametrize(
    "text, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_entry_is_told_with_its_line(
    read: Callable[[str], Any], text: str, told: list[str]
) -> None:
    """Each mistake is one message."""
    problems = Problems()
    read_expectations({"e/node.yaml": text.encode()}, read(CASES)[0],
                      problems)
    assert [str(p) for p in problems.of("error")] == [
        f"e/node.yaml:{line}" for line in told]


def test_entries_select_as_the_judge_does(read: Callable[[str], Any]) -> None:
    """A glob, a subtree, a rule; one verdict stays text, several a list."""
    problems = Problems()
    made = read_expectations({"e/node.yaml": b"""\
expectations:
  - {case: loop/*/one, reason: r, link: l, versions: ["12", "20.1"]}
  - {case: loop/x, reason: r, verdict: crash}
  - {case: LOOP-A-1, reason: r, verdict: [fail, pass]}
"""}, read(CASES)[0], problems)
    assert problems.found == []
    assert [entry.record() for entry in made["node"]] == [
        {"case": "loop/*/one", "verdict": "fail", "versions": ["12", "20.1"],
         "reason": "r", "link": "l"},
        {"case": "loop/x", "verdict": "crash", "versions": None,
         "reason": "r", "link": None},
        {"case": "LOOP-A-1", "verdict": ["fail", "pass"], "versions": None,
         "reason": "r", "link": None},
    ]


def test_a_reason_that_nobody_wrote_is_worth_a_warning(
    read: Callable[[str], Any],
) -> None:
    """What `run --update` leaves behind is not forgotten."""
    from plumbline.expectations import TO_EXPLAIN

    assert UNWRITTEN == TO_EXPLAIN
    problems = Problems()
    text = f"expectations:\n  - case: loop/x/one\n    reason: {TO_EXPLAIN}\n"
    read_expectations({"e/node.yaml": text.encode()}, read(CASES)[0],
                      problems)
    assert [str(p) for p in problems.found] == [
        "e/node.yaml:3: warning: the reason is still to be written; say why "
        "it differs"]
