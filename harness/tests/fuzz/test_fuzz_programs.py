# SPDX-License-Identifier: MIT
"""Random programs are well formed, end, and hide what they shall hide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from plumbline.corpus._corpus import load_vocabulary
from plumbline.corpus._problems import Problems
from plumbline.corpus._program import ProgramChecker
from plumbline.corpus._vocabulary import Vocabulary
from plumbline.corpus._yaml import Map, Seq, read_yaml
from plumbline.errors import UsageError
from plumbline.fuzz import Language, languages_of, programs_of
from plumbline.fuzz._handles import handle_programs
from plumbline.fuzz._raw import Program
from plumbline.fuzz._runtime import runtime_programs

ROOT = Path(__file__).resolve().parents[3]

RUNTIME = ("loop.timeout", "loop.immediate", "loop.tick", "loop.microtask",
           "loop.fs", "loop.ref")
HANDLES = ("loop.timer", "loop.watcher", "loop.async", "loop.poll",
           "loop.work", "loop.close", "loop.run", "loop.ref")
MODERN = ("timers-after-poll", "timer-lists", "zero-timer-next-iteration")

LANGUAGES = {
    "runtime": languages_of(RUNTIME, MODERN)[0],
    "runtime of bun": languages_of(RUNTIME, ["immediates-before-timers"])[0],
    "runtime of old Node": languages_of(
        RUNTIME, ["timer-lists", "drain-per-phase"])[0],
    "handles": languages_of(HANDLES, MODERN)[0],
    "both": languages_of([*RUNTIME, *HANDLES], MODERN)[1],
    "handles of old libuv": languages_of(HANDLES, [])[0],
    "watchers only": languages_of(("loop.watcher", "loop.close"), [])[0],
}

relaxed = settings(max_examples=40, deadline=None, database=None,
                   suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    problems = Problems()
    result = load_vocabulary(ROOT, problems)
    assert problems.found == []
    return result


def operations(program: Any) -> Iterator[tuple[str, Any]]:
    """Every operation of a program, at any depth."""
    for op in program:
        ((name, value),) = op.items()
        yield name, value
        if isinstance(value, dict):
            for body in [value.get("then", []), *value.get("each", [])]:
                yield from operations(body)


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_program_is_one_that_the_corpus_accepts(
    name: str, vocabulary: Vocabulary
) -> None:
    """No complaint, no capability beyond the language's, no process."""
    problems = Problems()
    checker = ProgramChecker(vocabulary, problems)

    @seed(1)
    @relaxed
    @given(programs_of(LANGUAGES[name]))
    def holds(program: Program) -> None:
        text = json.dumps({"program": program}).encode()
        document = read_yaml(text, "f", problems)
        assert isinstance(document, Map)
        main = document["program"]
        assert isinstance(main, Seq)
        facts = checker.check(main, "f")
        assert [str(problem) for problem in problems.found] == []
        assert facts.process == []
        assert facts.needs <= {*RUNTIME, *HANDLES}

    holds()


@pytest.mark.parametrize("name", LANGUAGES)
def test_labels_are_unique_where_the_text_is(name: str) -> None:
    """Each log operation of the text has a label of its own."""

    @seed(2)
    @relaxed
    @given(programs_of(LANGUAGES[name]))
    def holds(program: Program) -> None:
        labels = [value if isinstance(value, str) else value[0]
                  for word, value in operations(program) if word == "log"]
        labels += [value["log"] for _, value in operations(program)
                   if isinstance(value, dict) and "log" in value]
        assert len(labels) == len(set(labels)), labels

    holds()


@seed(3)
@relaxed
@given(runtime_programs(LANGUAGES["runtime"]))
def test_every_interval_clears_itself_in_its_last_body(
    program: Program
) -> None:
    """And refreshes do not stand where a body may run again and again."""
    for word, value in operations(program):
        if word == "interval":
            last = value["each"][-1] if "each" in value else value["then"]
            assert {"clear": value["id"]} in last


@seed(4)
@relaxed
@given(runtime_programs(LANGUAGES["runtime"]))
def test_a_refreshable_timeout_does_not_refresh_in_its_last_body(
    program: Program
) -> None:
    for word, value in operations(program):
        if word == "timeout" and "each" in value:
            inner = [name for name, _ in operations(value["each"][-1])]
            assert "refresh" not in inner and "interval" not in inner


@seed(5)
@relaxed
@given(handle_programs(LANGUAGES["handles"]))
def test_pump_or_guard_closes_every_handle(program: Program) -> None:
    """So that the program ends, whatever its callbacks do."""
    made: list[tuple[str, Any]]
    made = [(word, value) for op in program for word, value in op.items()
            if word in ("timer", "idle", "prepare", "check", "async", "poll")]
    closer = next(value for _, value in made
                  if value["id"] in ("pump", "guard"))
    last = closer["each"][-1] if "each" in closer else closer["then"]
    closed = [op["close"]["of"] for op in last if "close" in op]
    assert sorted(closed) == sorted(value["id"] for _, value in made)


def words(language: Language) -> set[str]:
    """The operations of many programs of a language."""
    seen: set[str] = set()

    @seed(6)
    @settings(relaxed, max_examples=150)
    @given(programs_of(language))
    def collect(program: Program) -> None:
        seen.update(word for word, _ in operations(program))

    collect()
    return seen


def test_every_operation_of_a_language_is_drawn() -> None:
    """Or the search would look at less than it says."""
    full = words(LANGUAGES["runtime"])
    assert full == {
        "log", "timeout", "interval", "immediate", "tick", "microtask",
        "chain", "fs.stat", "clear", "refresh", "ref", "unref", "block"}
    assert words(LANGUAGES["handles"]) == {
        "log", "timer", "timer.start", "timer.again", "timer.set-repeat",
        "idle", "prepare", "check", "start", "stop", "async", "async.send",
        "poll", "poll.write", "work", "cancel", "close", "ref", "unref",
        "run", "stop-loop", "update-time", "block"}


def test_traits_take_words_away() -> None:
    """What would show a trait is not said."""
    bun = LANGUAGES["runtime of bun"]
    assert not bun.has("unref") and not bun.has("durations")
    assert not bun.has("immediate-in-main") and bun.has("immediate")
    old = LANGUAGES["runtime of old Node"]
    assert not old.has("tick") and not old.has("microtask")
    libuv = LANGUAGES["handles of old libuv"]
    assert not libuv.has("update-time") and libuv.has("run")


@seed(7)
@relaxed
@given(handle_programs(LANGUAGES["handles of old libuv"]))
def test_old_libuv_has_timers_or_run_modes(program: Program) -> None:
    """Where timers run before poll, run modes show it."""
    found = {word for word, _ in operations(program)}
    assert not ("timer" in found and found & {"run", "unref", "stop-loop"})


@seed(8)
@relaxed
@given(runtime_programs(LANGUAGES["runtime of bun"]))
def test_bun_is_given_one_duration_and_no_immediate_in_main(
    program: Program
) -> None:
    delays = {value.get("after", value.get("every"))
              for word, value in operations(program)
              if word in ("timeout", "interval")}
    assert len(delays) <= 1
    assert all("immediate" not in op for op in program)


def test_a_word_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="programs have no word 'timeuot'"):
        LANGUAGES["runtime"].without(["timeuot"])


def test_no_language_without_its_core() -> None:
    assert languages_of(["loop.tick"], MODERN) == []
    assert languages_of([*RUNTIME, *HANDLES], MODERN, ["idle", "timeout"]
                        ) == []


@seed(9)
@relaxed
@given(st.data())
def test_what_is_left_out_is_not_said(data: st.DataObject) -> None:
    """Whatever word it is."""
    name = data.draw(st.sampled_from(("runtime", "handles")))
    language = LANGUAGES[name]
    gone = data.draw(st.sampled_from(sorted(
        language.words - {"timeout", "immediate", "idle", "close"})))
    program = data.draw(programs_of(language.without([gone])))
    assert gone not in {word for word, _ in operations(program)}
