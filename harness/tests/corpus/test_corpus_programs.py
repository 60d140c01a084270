# SPDX-License-Identifier: MIT
"""Programs: each way in which one can be wrong, with the exact message; and
what a right one needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

# Title, the program's items (the first stands in line 5), what is told.
WRONG = [
    ("unknown operation", "- tmeout: {}", [
        "5: unknown operation `tmeout`; did you mean `timeout`?"]),
    ("unknown operation, nothing near", "- frobnicate: {}", [
        "5: unknown operation `frobnicate`; the operations stand in "
        "conformance/spec/vocabulary.md"]),
    ("bare operation", "- immediate", [
        "5: `immediate` is no operation; write `immediate: {}`"]),
    ("bare label", "- hello", [
        "5: `hello` is no operation; write `log: hello` for an event"]),
    ("two operations in one item", "- log: x\n  block: 3", [
        "5: an operation has exactly one key, its name; this one has several "
        "keys; begin a new item with `- `, or mend the indentation"]),
    ("nothing", "- {}", [
        "5: an operation has exactly one key, its name; this one is an empty "
        "mapping; begin a new item with `- `, or mend the indentation"]),
    ("a number", "- 3", [
        "5: an operation has exactly one key, its name; this one is 3; "
        "begin a new item with `- `, or mend the indentation"]),
    ("unknown key", "- timeout: {afer: 3}", [
        "5: `timeout` has no key `afer`; did you mean `after`?"]),
    ("unknown key of none", "- tick: {after: 3}", [
        "5: `tick` has no key `after`; known: `then` or `each`"]),
    ("key missing", "- fs.stat: {}", [
        "5: `fs.stat` wants the key `path`; write `fs.stat: {path: ...}`"]),
    ("id missing", "- timer: {after: 3}", [
        "5: `timer` wants the key `id`; write `timer: {id: ...}`"]),
    ("a body for the mapping", "- tick: [{log: x}]", [
        "5: `tick` must be a mapping, not a list; write "
        "`tick: {then: [...]}`"]),
    ("a mapping for the body", "- tick: {then: {log: x}}", [
        "5: a body must be a list of operations, not a mapping; write "
        "`[{log: x}]` or a line `- log: x` for each"]),
    ("then and each", "- tick: {then: [], each: [[]]}", [
        "5: `tick` has both `then` and `each`; `then` serves every call, "
        "`each` has a body a call: keep one"]),
    ("each without bodies", "- tick: {each: []}", [
        "5: `tick.each` must be a list of bodies, not an empty list; write "
        "`each: [[{log: first}], [{log: later}]]`"]),
    ("each of operations", "- tick: {each: [{log: x}]}", [
        "5: a body must be a list of operations, not a mapping; write "
        "`[{log: x}]` or a line `- log: x` for each"]),
    ("type", "- block: long", [
        "5: `block` must be an integer, not `long`"]),
    ("null", "- block:", [
        "5: `block` must be an integer, not nothing (null)"]),
    ("bound", "- block: -1", ["5: `block` must be at least 0, not -1"]),
    ("upper bound", "- block: 10001", [
        "5: `block` must be at most 10000, not 10001"]),
    ("exponent", "- block: 1e3", [
        "5: `block` must be an integer, not `1e3`"]),
    ("one of", "- timeout: {after: soon}", [
        "5: `timeout.after` must be a number, or `NaN`, `Infinity`, "
        "`-Infinity` or `undefined`, not `soon`"]),
    ("enum", "- run: {mode: oncee}", [
        "5: `run.mode` must be `default`, `once` or `nowait` (did you mean "
        "`once`?), not `oncee`"]),
    ("empty text", '- fs.stat: {path: ""}', [
        "5: `fs.stat.path` must not be empty, not ``"]),
    ("no argument", "- stop-loop: {now: 1}", [
        "5: `stop-loop` must be empty: write {}, not a mapping"]),
    ("run in a callback", "- tick: {then: [{run: {mode: once}}]}", [
        "5: `run` stands in a callback; it may stand in main only"]),
    ("undefined id", "- timeout: {id: tea}\n- clear: te", [
        "6: `clear` names `te`, which no operation of the program makes; did "
        "you mean `tea`?"]),
    ("undefined id, nothing near", "- clear: x", [
        "5: `clear` names `x`, which no operation of the program makes; give "
        "an operation `id: x`"]),
    ("wrong kind", "- timeout: {id: t}\n- stop: t", [
        "6: `stop` names `t`, the `timeout` of line 5; it takes `timer`, "
        "`idle`, `prepare`, `check`, `poll` or `signal`"]),
    ("wrong kind in a key", "- idle: {id: i}\n- timer.again: {of: i}", [
        "6: `timer.again` names `i`, the `idle` of line 5; it takes "
        "`timer`"]),
    ("a reference that is no name", "- clear: {of: x}", [
        "5: `clear` names an object, not a mapping; write the id of "
        "`timeout`, `interval` or `immediate`"]),
    ("duplicate id", "- timeout: {id: t}\n- timeout: {id: t}", [
        "6: the id `t` is taken by the `timeout` in line 5; take another "
        "name"]),
    ("id of two kinds", "- timer: {id: t}\n- idle: {id: t}", [
        "6: the id `t` is taken by the `timer` in line 5; take another "
        "name"]),
    ("no id", "- timeout: {id: 3}", [
        "5: 3 is no id; write a letter, then letters, digits, `-` or `_`"]),
    ("label of several items", "- log: [a, b, c]", [
        "5: `log` has 3 items; write `log: label` or `log: [label, value]`"]),
    ("no label", "- log: 3", [
        "5: 3 is no label; write text without spaces at its ends, `{`, `}` "
        "or `$`"]),
    ("index outside repeat", "- log: a$i", [
        "5: `a$i` is no label; `$i` is replaced inside a `repeat` only"]),
    ("runner's label", "- log: exit", [
        "5: the label `exit` is the runner's own, for how a process ended; "
        "take another name"]),
    ("list as value", "- log: [a, [1]]", [
        "5: a logged value is a list; log text, a number, true, false or "
        "null"]),
    ("unknown value", "- log: [a, $elapse]", [
        "5: unknown value `$elapse`; did you mean `$elapsed`?"]),
    ("value without its id", "- log: [a, $active]", [
        "5: unknown value `$active`; did you mean `$active:ID`?"]),
    ("value of an unknown id", "- log: [a, \"$active:t\"]", [
        "5: `$active` names `t`, which no operation of the program makes; "
        "give an operation `id: t`"]),
    ("result in main", "- log: [a, $result]", [
        "5: `$result` stands in main; it means something in a callback "
        "only"]),
    ("throw in a shared process", "- throw: x", [
        "5: `throw` wants a process of its own; write `isolation: process` "
        "in the case"]),
    ("exit in a callback", "- tick:\n    then:\n      - exit: 3", [
        "7: `exit` wants a process of its own; write `isolation: process` "
        "in the case"]),
    ("listener", "- listener: {event: exit}", [
        "5: `listener` wants a process of its own; write `isolation: "
        "process` in the case"]),
    ("unhandled", "- reject: {id: r, message: m}\n"
     "- tick: {then: [{handle: {of: r}}]}", [
         "5: `reject` wants a process of its own; write `isolation: process` "
         "in the case"]),
    ("ill-formed repeat", "- repeat: {times: 0, do: [{log: x}]}", [
        "5: `repeat.times` must be at least 1, not 0"]),
    ("repeat with a key too many",
     "- repeat: {times: 2, then: [], do: [{block: 1}]}", [
         "5: `repeat` has no key `then`; known: `times` or `do`"]),
]


@pytest.mark.parametrize(
    "program, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_program_is_told_with_the_line_of_the_node(
    about: Callable[[str], list[str]], program: str, told: list[str]
) -> None:
    """Each mistake is one message, at the line of the offending node."""
    items = "".join(f"  {line}\n" for line in program.splitlines())
    assert about(f"program:\n{items}expect: []") == [
        f"x.yaml:{line}" for line in told]


def test_a_repeated_mistake_is_told_once(
    about: Callable[[str], list[str]],
) -> None:
    """Written out a hundred times it is still one line of the file."""
    assert about("""\
program:
  - repeat: {times: 100, do: [{log: a$i}, {tmeout: {id: t$i}}]}
expect: [{for: {times: 100, do: [a$i]}}]""") == [
        "x.yaml:5: unknown operation `tmeout`; did you mean `timeout`?"]


def test_a_program_may_not_become_too_large(
    about: Callable[[str], list[str]],
) -> None:
    """Repeats within repeats have a limit."""
    assert about("""\
program:
  - repeat: {times: 1000, do: [{repeat: {times: 1000, do: [{block: 0}]}}]}
expect: []""") == [
        "x.yaml:4: written out, this program has more than 20000 operations; "
        "repeat less"]


NEEDS = [
    ("{timeout: {after: 0, then: [{immediate: {}}]}}",
     ["loop.timeout", "loop.immediate"]),
    ("{chain: {of: microtask, length: 2}}", ["loop.microtask"]),
    ("{log: [x, $now]}", ["loop.run"]),
    ("{log: [x, $elapsed]}", []),
    ("{idle: {id: i, each: [[{tick: {}}], [{close: {of: i}}]]}}",
     ["loop.tick", "loop.watcher", "loop.close"]),
]


@pytest.mark.parametrize("op, needs", NEEDS)
def test_needs_follow_from_operations_and_values(
    read: Callable[[str], Any], op: str, needs: list[str]
) -> None:
    """In the order of the vocabulary, with what the file says on top."""
    text = "x" if "log" in op else ""
    value = f"[[{text}, {{min: 0}}]]" if text else "[]"
    cases, problems = read(
        f"rule: LOOP-A-1\nneeds: [loop.fs]\ncases:\n"
        f"  - {{id: a, program: [{op}], expect: {value}}}\n")
    assert problems.found == []
    assert set(cases[0].needs) == {*needs, "loop.fs"}
    assert [n for n in cases[0].needs if n != "loop.fs"] == needs


def test_a_promise_handled_at_once_may_share_its_process(
    about: Callable[[str], list[str]],
) -> None:
    """A rejection that is handled in the same body ends no process."""
    assert about("""\
program:
  - reject: {id: r, message: m}
  - handle: {of: r, then: [{log: caught}]}
expect: [caught]""") == []


def test_a_timer_may_be_made_again(
    about: Callable[[str], list[str]],
) -> None:
    """A second `timer` with the same id restarts it."""
    assert about("""\
program:
  - timer: {id: t, after: 3, then: [{log: never}]}
  - timer: {id: t, after: 5, then: [{log: fired}]}
expect: [fired]""") == []
