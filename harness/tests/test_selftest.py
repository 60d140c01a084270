# SPDX-License-Identifier: MIT
"""`plumbline test`: it counts what ran, and nothing that did not."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
import samples
from rich.console import Console

from plumbline.commands.test import command
from plumbline.errors import RunError, UsageError
from plumbline.places import Places
from plumbline.selftest import Options, run_stages, stages
from plumbline.selftest._stage import Bench, Count, Failed, Stage
from plumbline.selftest._stages import _conformance, _meson_counts


def _console() -> tuple[Console, StringIO]:
    out = StringIO()
    return Console(file=out, width=100, color_system=None), out


def _stage(name: str, count: Count, full: bool = False) -> Stage:
    return Stage(name, "doc", lambda bench: count, full)


def test_counts_add_up(tmp_path: Path) -> None:
    """Over all stages."""
    console, _ = _console()
    total = run_stages(console, Places(tmp_path, tmp_path), [
        _stage("a", Count(3, 1, 2, ["a::x"])), _stage("b", Count(4)),
        _stage("long", Count(100), full=True),
    ], Options())
    assert (total.passed, total.failed, total.skipped) == (7, 1, 2)


def test_full_and_only_pick_stages(tmp_path: Path) -> None:
    """A name that is no stage is refused."""
    places = Places(tmp_path, tmp_path)
    every = [_stage("a", Count(1)), _stage("b", Count(2), full=True)]
    console, _ = _console()
    assert run_stages(console, places, every, Options(full=True)).passed == 3
    only = Options(only=("b",))
    assert run_stages(console, places, every, only).passed == 2
    with pytest.raises(UsageError, match="no stage 'c'"):
        run_stages(console, places, every, Options(only=("c",)))


@pytest.mark.parametrize("error", [
    Failed("ran nothing"), RunError("no judge"), OSError(2, "no such file"),
])
def test_a_stage_that_cannot_count_has_failed(
    tmp_path: Path, error: Exception
) -> None:
    """Doing nothing is no way to pass."""
    def work(bench: Bench) -> Count:
        raise error

    console, out = _console()
    total = run_stages(console, Places(tmp_path, tmp_path),
                       [Stage("a", "doc", work), _stage("b", Count(1))],
                       Options())
    assert (total.passed, total.failed) == (1, 1)
    assert "✗ a" in out.getvalue()


def test_exitfirst_ends_with_the_first_failure(tmp_path: Path) -> None:
    """The rest is not run."""
    console, _ = _console()
    total = run_stages(console, Places(tmp_path, tmp_path), [
        _stage("a", Count(failed=1)), _stage("b", Count(1)),
    ], Options(fail_fast=True))
    assert (total.passed, total.failed) == (0, 1)


def test_a_failed_stage_shows_its_log(tmp_path: Path) -> None:
    """The end of it, and where the rest is."""
    def work(bench: Bench) -> Count:
        status = bench.run(["sh", "-c", "echo hello; echo oh >&2; exit 3"])
        missing = bench.run(["no-such-program"])
        return Count(failed=1, failures=[f"{status} {missing}"])

    console, out = _console()
    run_stages(console, Places(tmp_path, tmp_path),
               [Stage("a", "doc", work)], Options())
    text = out.getvalue()
    assert "3 127" in text
    assert "| hello" in text and "| oh" in text
    assert "no-such-program is missing" in text
    assert str(tmp_path / "out/test/a.log") in text


def test_what_failed_tests_told_is_shown_instead(tmp_path: Path) -> None:
    """It need not be at the log's end."""
    def work(bench: Bench) -> Count:
        bench.run(["echo", "hello"])
        return Count(failed=1, failures=["a"], said=["a:", "  for a reason"])

    console, out = _console()
    run_stages(console, Places(tmp_path, tmp_path),
               [Stage("a", "doc", work)], Options())
    assert "|   for a reason" in out.getvalue()
    assert "hello" not in out.getvalue()


def test_meson_results_are_counted(tmp_path: Path) -> None:
    """Time-outs and errors are failures, and named."""
    log = tmp_path / "meson-logs/testlog.json"
    log.parent.mkdir()
    results = ["OK", "OK", "SKIP", "FAIL", "TIMEOUT", "EXPECTEDFAIL",
               "UNEXPECTEDPASS"]
    log.write_text("".join(
        json.dumps({"name": f"t{n}", "result": r, "stdout": f"out {n}\n"})
        + "\n"
        for n, r in enumerate(results)
    ))
    count = _meson_counts(tmp_path)
    assert (count.passed, count.failed, count.skipped) == (3, 3, 1)
    assert count.failures == ["t3: fail", "t4: timeout", "t6: "
                              "unexpectedpass"]
    assert list(count.said) == ["t3:", "  out 3", "t4:", "  out 4", "t6:",
                                "  out 6"]


def test_conformance_counts_what_is_as_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known failure has passed; unsupported is skipped."""
    monkeypatch.setenv("PATH", "/nonexistent")
    samples.write_build(tmp_path / "build")
    (tmp_path / "conformance").mkdir()
    (tmp_path / "conformance/implementations.yaml").write_text(
        "implementations:\n  ref: {provider: ref/libplumb-ref.so}\n"
        "  libuv: {provider: ref/libplumb-ref.so}\n"
        "  node: {adapter: ['{exe}'], executables: [node]}\n"
    )
    monkeypatch.setenv("FAKE_CONFORM", "bad")
    places = Places(tmp_path, tmp_path / "build")
    count = _conformance(Bench(places, tmp_path / "o/log", lambda w: 0))
    assert (count.passed, count.failed, count.skipped) == (4, 4, 2)
    assert count.note.endswith("no node in PATH")
    assert any("forbidden: " in line for line in count.said)


def test_every_stage_is_named_once() -> None:
    """--only relies on it."""
    names = [stage.name for stage in stages()]
    assert len(names) == len(set(names))
    assert {"unit", "types", "corpus", "python", "conformance",
            "mutants"} == {s.name for s in stages() if not s.full}


def test_the_help_names_every_stage_in_order() -> None:
    epilog = command.epilog or ""
    said = re.findall(r"[a-z]+", epilog[epilog.index("Stages:"):])
    names = [stage.name for stage in stages()]
    assert [word for word in said if word in names] == names
