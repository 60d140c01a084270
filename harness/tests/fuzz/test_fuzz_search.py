# SPDX-License-Identifier: MIT
"""A wrong implementation is caught, its program shrunk and written down.

Explorer and adapters are fake_loop.py, so nothing needs to be built; the last
tests hold the real reference against the real model, where both are there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import main
from plumbline.corpus._cases import Case, CaseReader
from plumbline.corpus._corpus import load_vocabulary
from plumbline.corpus._problems import Problems
from plumbline.corpus._rules import read_rules
from plumbline.errors import RunError, UsageError
from plumbline.fuzz import (
    Checker,
    Finding,
    Oracle,
    Search,
    Session,
    case_text,
    languages_of,
    parse_without,
    read_known,
)

ROOT = Path(__file__).resolve().parents[3]
FAKE = Path(__file__).with_name("fake_loop.py")
BUILD = Path(os.environ.get("PLUMBLINE_BUILD") or ROOT / "build")
REFERENCE = (BUILD / "conformance/host/plumb-host",
             BUILD / "ref/libplumb-ref.so")
EXPLORER = BUILD / "conformance/host/plumb-explore"

MakeSearch = Callable[..., Search]


@pytest.fixture()
def explorer(tmp_path: Path) -> Path:
    """An executable that stands for plumb-explore."""
    path = tmp_path / "explore"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture()
def searches(
    tmp_path: Path, explorer: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeSearch]:
    """Makes searches on a fake adapter, which shrink to the end."""
    monkeypatch.setattr("plumbline.fuzz._search._SHRINK_SECONDS", 600.0)
    with ExitStack() as stack:

        def make(mode: str, examples: int = 60, seconds: float | None = None,
                 seed: int = 1) -> Search:
            session = stack.enter_context(Session(
                [sys.executable, str(FAKE), mode], {}, tmp_path,
                0.2 if mode == "hang" else 60))
            oracle = stack.enter_context(
                Oracle(explorer, Path("lib.so"), tmp_path))
            who = session.identity
            return Search(
                languages_of(who.capabilities, who.traits)[0],
                Checker([session], oracle, 2), examples,
                time.monotonic() + seconds if seconds else None, seed, 1)

        yield make


def compiled(text: str) -> list[Case]:
    """The cases of a file, by the corpus's own reader and rules."""
    problems = Problems()
    vocabulary = load_vocabulary(ROOT, problems)
    spec = (ROOT / "conformance/spec/loop.md").read_bytes()
    rules = read_rules({"loop.md": spec}, vocabulary.traits, problems)
    cases = CaseReader(vocabulary, rules, problems).read(
        "found.yaml", text.encode(), "loop")
    assert [str(problem) for problem in problems.found] == []
    return cases


def size(program: Any) -> int:
    """How many operations a program has, logs apart."""
    return sum(text != "log" for text in _names(program))


def _names(program: Any) -> Iterator[str]:
    for op in program:
        ((name, value),) = op.items()
        yield name
        if isinstance(value, dict):
            for body in [value.get("then", []), *value.get("each", [])]:
                yield from _names(body)


# -- what is found ----------------------------------------------------------


def test_right_implementation_agrees(searches: MakeSearch) -> None:
    search = searches("right")
    assert list(search.findings()) == []
    assert search.checker.counts["programs"] > 30
    assert search.checker.counts["run fake-1.0"] > 30


def test_wrong_order_is_shrunk_to_a_tick_and_a_microtask(
    searches: MakeSearch
) -> None:
    (finding,) = searches("microtasks-first", examples=300).findings()
    assert size(finding.program) == 2
    assert set(_names(finding.program)) == {"log", "tick", "microtask"}
    (case,) = compiled(case_text(finding, "again"))
    assert case.expect == {"seq": [
        {"ev": label} for label in case_labels(finding)]}


def case_labels(finding: Finding) -> list[Any]:
    (trace,) = finding.allowed.traces
    return list(trace)


def test_what_must_not_run_is_called_never(searches: MakeSearch) -> None:
    """A cleared callback that ran: its label is not in the expectation."""
    search = searches("deaf-to-clear", examples=300)
    (finding,) = search.findings()
    assert size(finding.program) <= 3
    text = case_text(finding, "again")
    assert "never-" in text and "NOT ALLOWED" in text
    compiled(text)


@pytest.mark.parametrize("mode, kind, said", [
    ("crash", "crash", "SIGABRT; about to fail"),
    ("garbage", "protocol", "Segmentation fault"),
    ("seq", "protocol", "seq is -1"),
    ("error", "error", "it cannot be"),
])
def test_what_is_no_trace_never_agrees(
    searches: MakeSearch, mode: str, kind: str, said: str
) -> None:
    """And is shrunk like any other finding: to one immediate."""
    (finding,) = searches(mode).findings()
    assert list(_names(finding.program)) == ["immediate", "log"]
    (evidence,) = finding.evidence
    outcome = evidence.outcomes[0][0]
    assert outcome.kind == kind and said in outcome.detail
    compiled(case_text(finding, "again"))


def test_hanging_is_a_finding(
    searches: MakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time-out is waited for, so what may shrink it is short."""
    search = searches("hang")
    monkeypatch.setattr("plumbline.fuzz._check._AGAIN", 1)
    monkeypatch.setattr("plumbline.fuzz._search._SHRINK_SECONDS", 2.0)
    (finding,) = search.findings()
    assert finding.evidence[0].outcomes[0][0].kind == "timeout"


def test_what_is_seen_once_and_never_again_is_counted(
    searches: MakeSearch
) -> None:
    search = searches("flaky")
    assert list(search.findings()) == []
    assert search.checker.counts["fleeting"] == 1


def test_what_the_reference_does_as_well_is_a_slow_machine(
    searches: MakeSearch, tmp_path: Path
) -> None:
    """A control that shows the same trace excuses it."""
    search = searches("microtasks-first")
    with Session([sys.executable, str(FAKE), "microtasks-first"], {},
                 tmp_path, label="control") as control:
        search.checker.control = control
        assert list(search.findings()) == []
    assert search.checker.counts["slow"] > 0


def programs_drawn(search: Search) -> list[str]:
    return list(search.checker.verdicts)


def test_the_same_seed_finds_the_same(searches: MakeSearch) -> None:
    first = list(searches("error").findings())
    second = list(searches("error").findings())
    assert first == second and len(first) == 1
    right = [searches("right", seed=seed) for seed in (1, 1, 2)]
    for search in right:
        assert list(search.findings()) == []
    one, same, other = [search.checker.counts["runs"] for search in right]
    assert one == same and right[0].drawn == right[1].drawn
    assert programs_drawn(right[0]) == programs_drawn(right[1])
    assert programs_drawn(right[0]) != programs_drawn(right[2])
    assert other > 0


def test_the_time_limit_ends_the_search(searches: MakeSearch) -> None:
    search = searches("right", examples=10**6, seconds=0.5)
    assert list(search.findings()) == []
    assert search.over and search.drawn < 10**6


# -- processes -----------------------------------------------------------------


def test_an_adapter_that_says_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the adapter does not start"):
        Session([sys.executable, str(FAKE), "mute"], {}, tmp_path)
    with pytest.raises(RunError, match="cannot be started"):
        Session(["/no/such/adapter"], {}, tmp_path)


def test_nothing_of_an_adapter_outlives_its_session(tmp_path: Path) -> None:
    """Not even what it started itself."""
    note = tmp_path / "pid"
    script = f"sleep 300 & echo $! > {note}; exec {sys.executable} {FAKE} hang"
    with Session(["/bin/sh", "-c", script], {}, tmp_path, 0.2) as session:
        child = int(note.read_text())
        assert Path(f"/proc/{child}").exists()
        assert session.run([{"immediate": {}}]).kind == "timeout"
        end = time.monotonic() + 60
        while _alive(child):  # killed, and not waited for by us
            assert time.monotonic() < end
            time.sleep(0.01)
        session._seconds = 60
        assert session.run([{"log": "a"}]).trace == ("a",)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# -- the command ---------------------------------------------------------------


@pytest.fixture()
def build(tmp_path: Path, explorer: Path, monkeypatch: pytest.MonkeyPatch
          ) -> Path:
    """A build folder with the fake explorer."""
    folder = tmp_path / "build"
    (folder / "conformance/host").mkdir(parents=True)
    (folder / "ref").mkdir()
    shutil.copy(explorer, folder / "conformance/host/plumb-explore")
    (folder / "ref/libplumb-ref.so").write_text("")
    host = folder / "conformance/host/plumb-host"
    host.write_text(f"#!/bin/sh\nexec {sys.executable} {FAKE} right\n")
    host.chmod(0o755)
    monkeypatch.setenv("PLUMBLINE_BUILD", str(folder))
    return folder


def fuzz(mode: str, out: Path, *more: str) -> int:
    return main(["fuzz", "loop", "--adapter", f"{sys.executable} {FAKE} {mode}",
                 "--name", "mine", "--examples", "30", "--out", str(out),
                 *more])


def test_status_0_where_all_agree(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz("right", tmp_path / "out") == 0
    assert "runtime: mine:" in capsys.readouterr().out
    assert list((tmp_path / "out").iterdir()) == []


def test_status_1_and_a_case_file_where_something_is_found(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz("crash", tmp_path / "out") == 1
    assert "mine: not what the model allows" in capsys.readouterr().out
    (path,) = (tmp_path / "out").glob("found-*.yaml")
    text = path.read_text()
    assert "--seed 0 --examples 30" in text and "mine:" in text
    compiled(text)


@pytest.mark.parametrize("more", [
    ["--without", "fake=immediate"],
    ["--layer", "handles"],
    ["--without", "fake"],
    ["--without", "fake=imediate"],
])
def test_status_2_where_nothing_is_drawn(
    build: Path, tmp_path: Path, more: list[str]
) -> None:
    assert fuzz("right", tmp_path / "out", *more) == 2


def test_status_2_where_nothing_is_supported(
    build: Path, tmp_path: Path
) -> None:
    assert fuzz("unsupported", tmp_path / "out") == 2
    assert main(["fuzz", "loop", "--out", str(tmp_path)]) == 2


def test_known_differences_are_about_words_that_exist() -> None:
    from plumbline.fuzz._language import Language

    for known in read_known():
        Language("runtime", frozenset()).without(known.words)
        assert known.reason
    (given,) = parse_without(["node@12=interval,$hasref"])
    assert given.words == ("interval", "$hasref")
    assert given.concerns("node", "12.8.1")
    assert not given.concerns("node", "20.1.0")
    with pytest.raises(UsageError):
        parse_without(["interval"])


# -- the real thing ------------------------------------------------------------


@pytest.mark.skipif(
    not all(path.exists() for path in (*REFERENCE, EXPLORER)),
    reason="the reference and the explorer are not built")
@pytest.mark.parametrize("layer", [0, 1])
def test_reference_in_real_time_is_within_its_own_model(
    tmp_path: Path, layer: int
) -> None:
    command = [str(path) for path in REFERENCE]
    with Session(command, {}, tmp_path) as session, Oracle(
        EXPLORER, REFERENCE[1], tmp_path
    ) as oracle:
        who = session.identity
        language = languages_of(who.capabilities, who.traits)[layer]
        checker = Checker([session], oracle, 2)
        search = Search(language, checker, 40, None, 5, 1)
        found = [case_text(one, "") for one in search.findings()]
        assert found == []
        assert checker.counts["programs"] > 20
        assert checker.counts["failed"] == checker.counts["stuck"] == 0, (
            json.dumps(checker.counts))
