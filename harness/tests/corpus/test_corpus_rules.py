# SPDX-License-Identifier: MIT
"""Rules: what is read of them, and each way in which one can be wrong."""

from __future__ import annotations

import pytest

from plumbline.corpus._problems import Problems
from plumbline.corpus._rules import Rules, read_rules

TRAITS = {"timer-lists": "a trait"}


def read(text: str | bytes, file: str = "spec/loop.md") -> tuple[
    Rules, list[str]
]:
    problems = Problems()
    data = text if isinstance(text, bytes) else text.encode()
    rules = read_rules({file: data}, TRAITS, problems)
    return rules, [str(p) for p in problems.of("error")]


def test_a_rule_has_level_sentence_text_source_since_and_trait() -> None:
    """Everything that the form has is read."""
    rules, told = read("""\
# The loop
Prose, with an OBSERVED word and a Source: that is none.

## Check
### LOOP-CHECK-2 (SHOULD) Immediates run (mostly) before timers
After poll comes check.

```
### LOOP-CHECK-9 (MUST) This is an example
Source: nowhere
```
Since: Node 10
Source: a book,
  and another book.
Trait: timer-lists

### LOOP-TIME-1 (MUST) Time stands still
Source: here
""")
    assert told == []
    assert list(rules.by_id) == ["LOOP-CHECK-2", "LOOP-TIME-1"]
    rule = rules.by_id["LOOP-CHECK-2"]
    assert rule.level == "SHOULD"
    assert rule.title == "Immediates run (mostly) before timers"
    assert rule.text.startswith("After poll comes check.\n\n```\n### LOOP-C")
    assert rule.source == "a book, and another book."
    assert rule.since == "Node 10"
    assert rule.trait == "timer-lists"
    assert (rule.area, rule.file, rule.line) == ("loop", "spec/loop.md", 5)


GOOD = "### LOOP-A-1 (MUST) So it is\nSource: here\n"
WRONG = [
    ("small letters", "### loop-a-1 (MUST) So\nSource: x\n", [
        "spec/loop.md:1: `loop-a-1` is no rule id of the area `loop`; write "
        "`### LOOP-TOPIC-1 (MUST) One sentence`"]),
    ("no topic", "### LOOP-1 (MUST) So\nSource: x\n", [
        "spec/loop.md:1: `LOOP-1` is no rule id of the area `loop`; write "
        "`### LOOP-TOPIC-1 (MUST) One sentence`"]),
    ("another area", "### HEAP-A-1 (MUST) So\nSource: x\n", [
        "spec/loop.md:1: `HEAP-A-1` is no rule id of the area `loop`; write "
        "`### LOOP-TOPIC-1 (MUST) One sentence`"]),
    ("level", "### LOOP-A-1 (SHALL) So\nSource: x\n", [
        "spec/loop.md:1: unknown level `SHALL` in the rule LOOP-A-1; write "
        "`MUST`, `SHOULD`, `MAY` or `OBSERVED` in brackets after the id"]),
    ("no level", "### LOOP-A-1 So\nSource: x\n", [
        "spec/loop.md:1: no level in the rule LOOP-A-1; write `MUST`, "
        "`SHOULD`, `MAY` or `OBSERVED` in brackets after the id"]),
    ("no sentence", "### LOOP-A-1 (MUST)\nSource: x\n", [
        "spec/loop.md:1: the rule LOOP-A-1 has no sentence; write `### "
        "LOOP-TOPIC-1 (MUST) One sentence`"]),
    ("no source", "\n### LOOP-A-1 (MUST) So\nText.\n", [
        "spec/loop.md:2: the rule LOOP-A-1 has no source; add a line "
        "`Source: …` (documentation, source file and version, or "
        "literature)"]),
    ("empty source", "### LOOP-A-1 (MUST) So\nText.\nSource:\n\nmore\n", [
        "spec/loop.md:3: the rule LOOP-A-1 has no source; add a line "
        "`Source: …` (documentation, source file and version, or "
        "literature)"]),
    ("misspelt field", "### LOOP-A-1 (MUST) So\nSources: x\nSource: x\n", [
        "spec/loop.md:2: `Sources:` is no field of a rule; write `Source:`, "
        "`Since:` or `Trait:`"]),
    ("two sources", GOOD + "Source: there\n", [
        "spec/loop.md:3: `Source:` stands twice in the rule LOOP-A-1; write "
        "one, separate with semicolons"]),
    ("trait", GOOD + "Trait: timer-list\n", [
        "spec/loop.md:3: unknown trait `timer-list`; did you mean "
        "`timer-lists`?"]),
    ("duplicate", GOOD + GOOD, [
        "spec/loop.md:3: the rule LOOP-A-1 stands already in spec/loop.md:1; "
        "take a new number"]),
    ("retired", GOOD + "\nRetired ids: LOOP-A-7, LOOP-A-1.\n", [
        "spec/loop.md:1: the rule id LOOP-A-1 was retired in spec/loop.md:4 "
        "and may not come back; take a new number"]),
    ("retired, ill-written", "Retired ids: LOOP-A-7, seven\n", [
        "spec/loop.md:1: `seven` is no rule id; list ids, separated by "
        "commas"]),
    ("empty heading", "### \n", [
        "spec/loop.md:1: this heading states no rule; write `### "
        "LOOP-TOPIC-1 (MUST) One sentence`"]),
    ("not UTF-8", b"# x\n\xff\n", [
        "spec/loop.md:2: not UTF-8; save the file as UTF-8"]),
]


@pytest.mark.parametrize(
    "text, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_rule_is_told_with_its_line(
    text: str | bytes, told: list[str]
) -> None:
    """Each mistake is one message."""
    assert read(text)[1] == told


def test_retired_ids_are_remembered() -> None:
    """So that a case that cites one is told why."""
    rules, told = read("Retired ids: LOOP-A-7, LOOP-B-1\n")
    assert told == []
    assert list(rules.retired) == ["LOOP-A-7", "LOOP-B-1"]
