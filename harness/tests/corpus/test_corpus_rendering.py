# SPDX-License-Identifier: MIT
"""Compiled cases as text and as JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import]

from plumbline.corpus import (
    pattern_to_text,
    program_to_js,
    program_to_text,
)
from plumbline.corpus._corpus import load


def ev(label: str, **value: Any) -> dict[str, Any]:
    return {"ev": label, "value": value} if value else {"ev": label}


A, B, C = ev("a"), ev("b"), ev("c")

PHRASES = [
    (A, "a"),
    ({"seq": []}, "nothing"),
    ({"seq": [A, B]}, "a → b"),
    (ev("a", **{"is": "x"}), 'a = "x"'),
    (ev("a", **{"is": None}), "a = null"),
    (ev("a", min=1), "a ≥ 1"),
    (ev("a", max=1), "a ≤ 1"),
    (ev("a", min=1, max=2), "a in 1…2"),
    (ev("a", near=10, within=2), "a ≈ 10 ± 2"),
    (ev("a", type="string"), "a is a string"),
    (ev("a", same_as="b"), "a = the value of b"),
    ({"any": [A, {"seq": [B, C]}]}, "any order of (a | b → c)"),
    ({"interleave": [{"seq": [{"atomic": {"seq": [A, B]}}]}, C]},
     "interleaved (nothing between (a → b) | c)"),
    ({"one": [A, B]}, "one of (a | b)"),
    ({"opt": A}, "perhaps (a)"),
    ({"repeat": A, "min": 0, "max": None}, "any number of (a)"),
    ({"repeat": A, "min": 2, "max": None}, "at least 2 times (a)"),
    ({"repeat": A, "min": 2, "max": 2}, "2 times (a)"),
    ({"repeat": A, "min": 0, "max": 3}, "0 to 3 times (a)"),
]


@pytest.mark.parametrize("pattern, phrase", PHRASES)
def test_a_short_pattern_is_a_phrase(
    pattern: dict[str, Any], phrase: str
) -> None:
    """One line, every operator and matcher."""
    assert pattern_to_text(pattern) == phrase


def test_a_long_pattern_is_an_outline() -> None:
    """Blocks are items, a sequence goes on after an arrow."""
    pattern = {"seq": [
        ev("start"), ev("next"),
        {"any": [{"seq": [ev("first-a"), ev("first-b")]},
                 {"seq": [ev("second-a"), ev("second-b")]}]},
        ev("end", **{"is": 0}),
    ]}
    assert pattern_to_text(pattern, width=40) == """\
start → next
→ any order of:
  - first-a → first-b
  - second-a → second-b
→ end = 0"""


def test_a_program_stands_in_the_notation_of_the_cases() -> None:
    """Short operations on a line, long ones indented, text in quotes where
    YAML would read something else."""
    program = {"main": [
        {"log": ["on", "12"]},
        {"fs.stat": {"path": ".", "then": [
            {"timeout": {"after": 0, "then": [{"log": "timeout"}]}},
            {"immediate": {"then": [{"log": "immediate"}]}}]}},
    ]}
    assert program_to_text(program, width=60) == """\
- log: ["on", "12"]
- fs.stat:
    path: "."
    then:
      - timeout: {after: 0, then: [{log: timeout}]}
      - immediate: {then: [{log: immediate}]}"""


def test_a_program_is_readable_javascript() -> None:
    """Node's own names where it has them, `loop` for the rest; an id is a
    variable, declared where its users can see it."""
    program = {"main": [
        {"timeout": {"id": "t-1", "after": "NaN", "then": [
            {"log": ["t", "$elapsed"]}, {"interval": {"id": "i", "every": 5,
             "each": [[{"log": ["i", "$count"]}], [{"clear": "i"}]]}}]}},
        {"unref": "t-1"},
        {"idle": {"id": "new", "then": [{"stop": "new"}]}},
        {"close": {"of": "new", "log": "closed",
                   "then": [{"log": ["c", "$closing:new"]}]}},
        {"run": {"mode": "once", "log": "alive"}},
        {"listener": {"event": "uncaught", "then": [{"log": ["u",
                                                             "$result"]}]}},
        {"throw": "it's"},
        {"later-area.op": {"x": 1}},
    ]}
    assert program_to_js(program) == """\
let i;
const t1 = setTimeout(() => {
  log('t', elapsed());
  i = setInterval(each(
    (result, count) => { log('i', count); },
    () => { clearInterval(i); },
  ), 5);
}, NaN);
t1.unref();
const new_ = loop.idle(() => { new_.stop(); });
log('closed', new_.close(() => { log('c', new_.isClosing()); }));
log('alive', loop.run('once'));
process.on('uncaughtException', (result) => { log('u', result); });
throw new Error('it\\'s');
perform('later-area.op', {"x": 1});"""


@pytest.fixture(scope="module")
def programs(root: Path) -> list[dict[str, Any]]:
    """Every program of the corpus, as JSON gives it."""
    text = json.dumps([c.record()["program"] for c in load(root).cases])
    found: list[dict[str, Any]] = json.loads(text)
    return found


def test_every_program_of_the_corpus_reads_back(
    programs: list[dict[str, Any]],
) -> None:
    """The text of a program is that program."""
    # libyaml's reader, where it is there: ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for program in programs:
        for width in (30, 76):
            text = program_to_text(program, width)
            assert yaml.load(text, loader) == (
                program["main"] if "roles" not in program
                else {"primary": program["main"], **program["roles"]})


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_every_program_of_the_corpus_is_valid_javascript(
    programs: list[dict[str, Any]], tmp_path: Path
) -> None:
    """By Node's own parser."""
    path = tmp_path / "all.js"
    path.write_text("\n".join(
        f"(function () {{\n{program_to_js(p)}\n}});" for p in programs))
    done = subprocess.run(["node", "--check", str(path)],
                          capture_output=True, text=True, timeout=300)
    assert done.stderr == "" and done.returncode == 0


def test_operations_on_memory_read_as_assignments() -> None:
    """Links, roots that end and what is asked have JavaScript's own forms."""
    program = {"main": [
        {"heap.alloc": {"id": "a", "slots": 2}},
        {"heap.alloc": {"id": "b"}},
        {"heap.link": {"from": "a", "slot": 1, "to": "b"}},
        {"heap.drop": "b"},
        {"heap.collect": {"kind": "minor"}},
        {"heap.alive": {"of": "b", "log": "alive"}},
        {"heap.frame": {"holds": "a", "then": [{"log": "inside"}]}},
    ]}
    assert program_to_js(program) == "\n".join([
        "let a = heap.alloc({slots: 2});",
        "let b = heap.alloc();",
        "a.s1 = b;",
        "b = null;",
        "heap.collect({kind: 'minor'});",
        "log('alive', heap.alive({of: b}));",
        "heap.frame({holds: a}, () => { log('inside'); });",
    ])
