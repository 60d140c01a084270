# SPDX-License-Identifier: MIT
"""The stages: each runs one tool and counts what that tool says.

A count always comes from a machine-readable result of the tool. A tool that
ends well without having run a test is a failure: a stage cannot pass by
doing nothing.
"""

from __future__ import annotations

import json
import shutil
import sys
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.places import Places
from plumbline.results import CaseResult, show_event
from plumbline.selftest._stage import Bench, Count, Failed, Stage

__all__ = ["stages"]

_PINNED = ("node@12.8.1", "node@22", "bun", "deno",
           "enhanced-resolve@5.27.0", "oxc-resolver@11.24.2")
_SANITIZERS = {"asan": "address,undefined", "tsan": "thread"}


_TOLD = 40  # lines at most of what one failed test told


def _told(name: str, text: str) -> list[str]:
    """The end of what a failed test printed, under its name."""
    return [f"{name}:", *(f"  {line}" for line in text.splitlines()[-_TOLD:])]


def _meson_counts(build: Path) -> Count:
    """Counts of the last `meson test`, from its log of JSON lines."""
    passed = skipped = 0
    failures: list[str] = []
    said: list[str] = []
    path = build / "meson-logs" / "testlog.json"
    for line in path.read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
        else:
            failures.append(f"{test['name']}: {test['result'].lower()}")
            said += _told(test["name"], test.get("stdout", "")
                          + test.get("stderr", ""))
    return Count(passed, len(failures), skipped, failures, said=said)


def _meson(bench: Bench, build: Path) -> Count:
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    # A test's limit is for one that hangs, also on a slow and busy machine.
    status = bench.run([
        "meson", "test", "-C", str(build), "--no-rebuild",
        "--print-errorlogs", "--timeout-multiplier", "4",
    ])
    if not log.exists():
        raise Failed(f"meson test ran nothing (exit status {status})")
    count = _meson_counts(build)
    if status and not count.failed:
        raise Failed(f"meson test ended with {status}")
    return count


def _unit(bench: Bench) -> Count:
    return _meson(bench, bench.places.build)


def _pytest(bench: Bench) -> Count:
    report = bench.log.with_suffix(".xml")
    report.unlink(missing_ok=True)
    status = bench.run([
        sys.executable, "-m", "pytest", "-q", f"--junitxml={report}",
        "harness/tests", "conformance/adapters/js/tests",
        "conformance/adapters/resolvers/tests",
    ])
    if not report.exists():
        raise Failed(f"pytest did not run (exit status {status})")
    passed = skipped = 0
    failures: list[str] = []
    said: list[str] = []
    for case in xml.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failures.append(f"{case.get('classname')}::{case.get('name')}")
            said += _told(failures[-1], "".join(
                child.text or "" for child in case
                if child.tag in ("failure", "error")))
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    if status and not failures:
        raise Failed(f"pytest ended with {status}")
    return Count(passed, len(failures), skipped, failures, said=said)


def _one(bench: Bench, words: Sequence[str], name: str) -> Count:
    """A tool that is one test: it is content or it is not."""
    if bench.run(words):
        return Count(failed=1, failures=[name])
    return Count(passed=1)


def _types(bench: Bench) -> Count:
    return _one(bench, [
        sys.executable, "-m", "mypy", "--strict",
        "--cache-dir", str(bench.places.build / "mypy"),
        "harness/plumbline", "harness/tests",
    ], "mypy --strict")


def _corpus(bench: Bench) -> Count:
    python = [sys.executable, "-m", "plumbline.corpus"]
    return _one(
        bench, [*python, "lint", "--root", "."], "corpus lint"
    ) + _one(
        bench, [*python, "vocabulary", "--check", "--root", "."],
        "generated pages are current",
    )


def _story(case: CaseResult) -> str:
    """Why a case is not as expected, and what was seen instead."""
    why = case.explanation.summary if case.explanation else ""
    traces = [
        f"{trace.count} x {'allowed' if trace.allowed else 'forbidden'}: "
        + ", ".join(map(show_event, trace.events)) for trace in case.traces
    ]
    return "\n".join(filter(None, (why, case.detail, *traces, case.stderr)))


def _judged(
    bench: Bench,
    places: Places,
    specs: Sequence[str],
    repeat: int | None = None,
) -> Count:
    """Every case on some implementations: passed is what is as expected."""
    from plumbline.judge import Request, judge
    from plumbline.registry import read_registry

    registry = read_registry(places)
    total = Count()
    for spec in specs:
        target = registry.resolve(spec)
        outcome = judge(places, target, Request(repeat=repeat),
                        bench.log.parent / "results")
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.results is None or not outcome.proved:
            raise Failed(f"{spec}: nothing was proved: {outcome.message}")
        cases = outcome.results.cases.values()
        wrong = [c for c in cases if c.unexpected]
        silent = [c for c in cases if not c.unexpected and c.verdict in (
            "unsupported", "disputed", "inconclusive")]
        total += Count(
            len(cases) - len(wrong) - len(silent), len(wrong), len(silent),
            [f"{c.id} on {outcome.results.label}: {c.verdict}"
             for c in wrong],
            outcome.results.label,
            [line for c in wrong for line in _told(c.id, _story(c))],
        )
    return total


def _conformance(bench: Bench) -> Count:
    """ref, libuv, and the Node in PATH where there is one."""
    from plumbline.registry import read_registry

    registry = read_registry(bench.places)
    node = [t.spec for t in registry.found(registry.entry("node"))
            if t.spec == "node"]
    count = _judged(bench, bench.places, ["ref", "libuv", *node])
    if not node:
        count += Count(note="no node in PATH")
    return count


def _mutants(bench: Bench) -> Count:
    from plumbline.catalog import read_catalog
    from plumbline.mutants import Workshop, judge_mutants, read_mutants
    from plumbline.mutants._read import areas, check_cases
    from plumbline.registry import read_registry

    places = bench.places
    folder = places.root / "conformance" / "mutants"
    catalog = read_catalog(places.corpus, places.rules)
    clean = read_registry(places).resolve("ref")
    workshop = Workshop(places.root / "ref", places.build)
    total = Count()
    again: list[str] = []
    for area in areas(folder):
        mutants = read_mutants(folder, area, places.short(folder))
        check_cases(mutants, catalog)
        verdicts = judge_mutants(places, mutants, workshop, clean,
                                 timeout_ms=2000)
        bad = [v for v in verdicts if not v.killed or v.missed]
        total += Count(len(verdicts) - len(bad), len(bad), 0, [
            f"{v.mutant.place}: {v.mutant.id} "
            + ("survived" if not v.killed else
               f"is not killed by {', '.join(v.missed)}")
            for v in bad
        ])
        again += [f"{v.mutant.id} behaved {v.attempts - 1}x first"
                  for v in verdicts if v.attempts > 1 and v not in bad]
    if not total.passed and not total.failed:
        raise Failed("there are no mutants")
    return total + Count(note="; ".join(again))


def _sanitized(name: str) -> Stage:
    """A build with sanitizers: its unit tests, and every case on its own
    reference and on libuv."""

    def work(bench: Bench) -> Count:
        build = bench.places.build.with_name(
            f"{bench.places.build.name}-{name}"
        )
        if not (build / "build.ninja").exists() and bench.run([
            "meson", "setup", str(build), str(bench.places.root),
            f"-Db_sanitize={_SANITIZERS[name]}", "-Db_lundef=false",
        ]):
            raise Failed("meson setup failed")
        if bench.run(["ninja", "-C", str(build)]):
            raise Failed("the build failed")
        places = Places(bench.places.root, build)
        return _meson(bench, build) + _judged(bench, places,
                                              ["ref", "libuv"])

    return Stage(name, f"built with {_SANITIZERS[name]}", work, full=True)


def _pinned(bench: Bench) -> Count:
    from plumbline.registry import read_registry
    from plumbline.runtimes import add, resolve

    registry = read_registry(bench.places)
    specs = []
    for spec in _PINNED:
        wanted = resolve(registry, spec)
        add(bench.places, wanted)
        specs.append(f"{wanted.name}@{wanted.version}")
    return _judged(bench, bench.places, specs)


def _resolvers(bench: Bench) -> Count:
    """A tree of many packages, on the reference and on Node 20 and 22."""
    from plumbline.registry import read_registry
    from plumbline.resolvers import find_nodes

    if shutil.which("npm") is None:
        return Count(skipped=1, note="no npm to install packages with")
    nodes, missing = find_nodes(read_registry(bench.places))
    if not nodes:
        return Count(skipped=1, note="; ".join(missing))
    return _one(bench, [
        sys.executable, "-m", "plumbline.cli", "compare-resolvers",
        "--installed",
    ], "compare-resolvers --installed")


# Folder below ref/tests, name.
_FUZZERS = (
    ("modules/fuzz", "exports"), ("modules/fuzz", "package"),
    ("modules/fuzz", "source"), ("modules/fuzz", "specifier"),
    ("ipc/fuzz", "values"), ("ipc/fuzz", "wire"),
)
_FUZZ_SECONDS = 30


def _fuzzers(bench: Bench) -> Count:
    """libFuzzer from the committed inputs on, for a while."""
    build = bench.places.build
    if not (build / "build.ninja").exists() or (
            "ref/tests/modules/fuzz/fuzz_exports:" not in
            (build / "build.ninja").read_text(errors="replace")):
        return Count(skipped=len(_FUZZERS),
                     note="no clang with libFuzzer (libclang-rt-14-dev)")
    total = Count()
    for below, name in _FUZZERS:
        folder = f"ref/tests/{below}"
        target = f"{folder}/fuzz_{name}"
        if bench.run(["ninja", "-C", str(build), target]):
            raise Failed(f"fuzz_{name} cannot be built")
        work = bench.log.parent / f"fuzz-{name}"
        work.mkdir(parents=True, exist_ok=True)
        total += _one(bench, [
            str(build / target), f"-max_total_time={_FUZZ_SECONDS}",
            "-max_len=400", f"-artifact_prefix={work}/", str(work),
            str(bench.places.root / folder / "corpus" / name),
        ], f"fuzz_{name}: its input is in {work}")
    return total


def _leaks(bench: Bench) -> Count:
    """The leak lab on everybody who is here: each leak is called one, each
    cure is not, and the cache is right wherever it is."""
    from plumbline.leaks import measure_leaks, problems

    value = measure_leaks(bench.places, True, bench.log.parent / "leaks")
    wrong = problems(value)
    every = len(value["runs"]) + len(value["outside"])
    return Count(every - len(wrong), len(wrong), len(value["skipped"]), wrong,
                 "; ".join(value["skipped"]))


_SOAKS = (
    ("test_ipc_workers_real_time", "PLUMB_TEST_WORKERS=1000"),
    ("test_ipc_many_handles", "PLUMB_TEST_SOAK=200000"),
)


def _soaks(bench: Bench) -> Count:
    """The bounded soaks of channels and clusters, longer than as unit tests:
    no descriptor, process or message may be lost."""
    total = Count()
    for name, wanted in _SOAKS:
        program = bench.places.build / "ref/tests/ipc" / name
        total += _one(bench, ["env", wanted, str(program)],
                      f"{name} with {wanted}")
    return total


def _repeated(bench: Bench) -> Count:
    return _judged(bench, bench.places, ["ref", "libuv"], repeat=5)


def _gate(bench: Bench) -> Count:
    """The gate for real: this revision against itself is no regression, and
    with 30% more work it is one. A machine that is too busy to tell skips."""
    total = Count()
    trials: list[tuple[list[str], int]] = [([], 0), (["--inject", "30"], 3)]
    for words, right in trials:
        name = " ".join(["gate HEAD", *words])
        status = bench.run([
            sys.executable, "-m", "plumbline.cli", "gate", "HEAD", *words,
            "--strict", "--lane", "time", "--no-cases", "--out",
            str(bench.log.parent / "gate"), "--filter",
            "loop/(timers/cancel/n:1000|queues/immediate|async/wake)$"])
        if status == right:
            total += Count(passed=1)
        elif status in (4, 5):
            total += Count(skipped=1, note=f"{name}: too busy to tell")
        else:
            said = {0: "is called clean", 3: "is called a regression"}.get(
                status, f"ended with {status}")
            total += Count(failed=1, failures=[f"{name} {said}"])
    return total


def stages() -> list[Stage]:
    """All stages, quick ones first."""
    return [
        Stage("unit", "C unit tests", _unit),
        Stage("types", "mypy --strict", _types),
        Stage("corpus", "lint of rules and cases", _corpus),
        Stage("python", "harness and adapter tests", _pytest),
        Stage("conformance", "cases on ref, libuv and node", _conformance),
        Stage("mutants", "wrong references are caught", _mutants),
        *map(_sanitized, _SANITIZERS),
        Stage("runtimes", f"cases on {', '.join(_PINNED)}", _pinned,
              full=True),
        Stage("resolvers", "a tree of 1,600 packages, as Node resolves it",
              _resolvers, full=True),
        Stage("fuzzers", f"libFuzzer, {_FUZZ_SECONDS} s each", _fuzzers,
              full=True),
        Stage("leaks", "the leak lab on everybody who is here", _leaks,
              full=True),
        Stage("soaks", "1,000 workers; handles and messages at random",
              _soaks, full=True),
        Stage("repeat", "every case five times", _repeated, full=True),
        Stage("gate", "the gate on this revision, and on a slower one", _gate,
              full=True),
    ]


def counted(stage: Stage, bench: Bench) -> Count:
    """Run a stage; whatever stops it from counting is one failure."""
    try:
        return stage.work(bench)
    except (Failed, PlumblineError, OSError) as error:
        return Count(failed=1, failures=[f"{stage.name}: {error}"])
