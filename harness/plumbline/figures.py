# SPDX-License-Identifier: MIT
"""`plumbline bench --suite`: what the suite itself costs, with its targets.

Figures are measured and printed, never asserted: a busy machine is no defect.
Each says what it measured, so that a surprising number can be repeated.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from plumbline.catalog import Case, read_catalog
from plumbline.errors import PlumblineError, RunError
from plumbline.judge import implementation_words
from plumbline.places import Places
from plumbline.registry import Target, read_registry
from plumbline.results import Results, read_results

__all__ = ["FIGURES", "Figure", "Measured", "figure_table"]

_QUICK = {"loop.tick", "loop.microtask", "loop.immediate"}
_TICK = 0.005
_NULL = "conformance/runner/tests/null-adapter"


@dataclass(frozen=True)
class Measured:
    """A measured figure: met says whether the target is reached, None where
    it could not be measured."""

    name: str
    value: str
    target: str
    met: bool | None
    how: str


@dataclass(frozen=True)
class Figure:
    """A figure and how it is measured; `work` gives (value, how)."""

    name: str
    target: str
    work: Callable[[Places], tuple[float, str]]
    good: Callable[[float], bool]
    unit: str

    def measure(self, places: Places) -> Measured:
        try:
            value, how = self.work(places)
        except (PlumblineError, OSError, subprocess.SubprocessError) as error:
            first = str(error).splitlines()[0]
            return Measured(self.name, "not measured", self.target, None,
                            first)
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        return Measured(self.name, f"{shown} {self.unit}", self.target,
                        self.good(value), how)


@dataclass(frozen=True)
class _Run:
    results: Results
    peak_kib: int

    @property
    def runs(self) -> int:
        return sum(case.runs for case in self.results.cases.values())


def _conform(
    places: Places,
    target: Target,
    *words: str,
    corpus: Path | None = None,
) -> _Run:
    """One run of the judge alone, with its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.jsonl")
        process = subprocess.Popen(
            [
                str(places.conform),
                "--corpus", str(corpus or places.corpus),
                *implementation_words(places, target),
                "--results", str(path), "--quiet", *words,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **target.env},
        )
        peak = 0
        try:
            while process.poll() is None:
                peak = max(peak, _peak(process.pid))
                time.sleep(_TICK)
        finally:
            process.kill()
            process.wait()
        return _Run(read_results(path), peak)


def _peak(pid: int) -> int:
    """Peak memory of a process so far. (Its rusage would count ours, too,
    from before its exec.)"""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s*(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _quick_cases(places: Places) -> list[Case]:
    """Cases that only queue callbacks: what they take is what the adapter
    and the judge take."""
    catalog = read_catalog(places.corpus, places.rules)
    cases = [
        case for case in catalog.cases.values()
        if set(case.needs) <= _QUICK
        and case.raw.get("isolation", "shared") == "shared"
        and case.runs == 1
        and '"block"' not in json.dumps(case.raw["program"])
    ]
    if not cases:
        raise RunError("the corpus has no case that only queues callbacks")
    return cases


def _select(cases: Sequence[Case]) -> list[str]:
    return [word for case in cases for word in ("--select", case.id)]


def _times(places: Places, target: Target, runs: int) -> _Run:
    """The quick cases, so often that it is `runs` runs or more."""
    cases = _quick_cases(places)
    repeat = -(-runs // len(cases))
    return _conform(places, target, "--repeat", str(repeat), *_select(cases))


def _null(places: Places, repeat: int) -> _Run:
    """A thousand empty cases, which the null adapter passes, as often as
    `repeat` says."""
    target = Target("null", "", command=(str(places.built(_NULL)),))
    suite = read_catalog(places.corpus, places.rules).suite
    lines: list[dict[str, Any]] = [
        {"kind": "corpus", "format": 1, "suite": suite, "cases": 1000,
         "rules": 1}
    ]
    for number in range(1000):
        name = f"null/empty/case-{number}"
        lines.append({
            "kind": "case", "id": name, "rule": "NULL-1", "level": "MUST",
            "area": "null", "topic": "empty", "claim": None, "needs": [],
            "runs": 1, "isolation": "shared", "pool": None,
            "timeout_ms": 5000, "env": {}, "program": {"main": []},
            "files": {}, "expect": {"seq": []}, "by_trait": [],
            "evidence": {}, "disputed": None,
            "source": {"file": "null.yaml", "line": number + 1},
            "hash": sha256(name.encode()).hexdigest()[:16],
        })
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus.jsonl")
        corpus.write_text("".join(json.dumps(x) + "\n" for x in lines))
        run = _conform(places, target, "--repeat", str(repeat),
                       corpus=corpus)
    if run.results.footer.totals.get("pass") != 1000:
        raise RunError("the null adapter did not pass the empty cases")
    return run


def _judge_cost(places: Places) -> tuple[float, str]:
    run = _null(places, 10)
    cost = run.results.footer.duration_ms * 1000 / run.runs
    return cost, f"{run.runs} runs against the null adapter in C"


def _memory(places: Places) -> tuple[float, str]:
    few, many = _null(places, 10), _null(places, 20)
    return (
        float(max(0, many.peak_kib - few.peak_kib)),
        f"peak memory of {few.runs} and of {many.runs} runs",
    )


def _rate(spec: str, runs: int) -> Callable[[Places], tuple[float, str]]:
    def work(places: Places) -> tuple[float, str]:
        target = read_registry(places).resolve(spec)
        run = _times(places, target, runs)
        cases = len(run.results.cases)
        return (
            run.runs / (run.results.footer.duration_ms / 1000),
            f"{run.runs} runs of {cases} cases on {run.results.label}, "
            "start-up included",
        )

    return work


def _shim(places: Places) -> tuple[float, str]:
    """One step through the shim less the same in google-benchmark's loop."""
    done = subprocess.run(
        [str(places.built("bench/shim-overhead")),
         "--benchmark_min_time=0.02", "--benchmark_repetitions=15",
         "--benchmark_enable_random_interleaving=true",
         "--benchmark_format=json"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RunError("shim-overhead failed", place="bench/shim-overhead")
    best: dict[str, float] = {}
    for entry in json.loads(done.stdout)["benchmarks"]:
        if entry["run_type"] == "iteration":
            who = entry["name"].rpartition(":")[2]
            best[who] = min(best.get(who, 1e9), entry["cpu_time"])
    return (best["shim"] - best["native"],
            f"a step of {best['native']:.2f} ns in C++, "
            f"{best['shim']:.2f} ns in C through the shim, best of 15")


def _cli(places: Places, *words: str) -> float:
    """Seconds that the launcher takes for a command."""
    begun = time.monotonic()
    subprocess.run(
        [str(places.root / "plumbline"), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PLUMBLINE_BUILD": str(places.build)},
    )
    return time.monotonic() - begun


def _full_run(places: Places) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as folder:
        words = ("run", "ref", "libuv", "node", "--out", folder)
        return _cli(places, *words), "plumbline run ref libuv node"


def _no_change(places: Places) -> tuple[float, str]:
    _cli(places, "list", "rules")
    best = min(_cli(places, "mutants", "no-such-area") for _ in range(3))
    return best, "launcher, ninja and Python with nothing to build, best of 3"


def _help(places: Places) -> tuple[float, str]:
    best = min(_cli(places, "--help") for _ in range(5))
    return best * 1000, "plumbline --help, best of 5"


_DEAF = """#!/bin/sh
read -r line
echo '{answer}'
exec sleep 60
"""


def _time_out(places: Places) -> tuple[float, str]:
    limit = 300
    cases = _quick_cases(places)[:3]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "deaf")
        path.write_text(_DEAF.format(answer=json.dumps({
            "protocol": 1,
            "implementation": {"name": "deaf", "version": "1",
                               "language": "sh", "homepage": ""},
            "capabilities": sorted(_QUICK),
            "traits": [],
        })))
        path.chmod(stat.S_IRWXU)
        run = _conform(
            places, Target("deaf", "", command=(str(path),)),
            "--timeout", str(limit), *_select(cases),
        )
    late = [c.duration_ms - limit for c in run.results.cases.values()
            if c.verdict == "timeout"]
    if len(late) != len(cases):
        raise RunError("the deaf adapter was not timed out")
    return max(abs(ms) for ms in late), f"worst of {len(late)} time-outs of {limit} ms"


def _report(places: Places) -> tuple[float, str]:
    from plumbline.report import write_large_report

    with tempfile.TemporaryDirectory() as folder:
        made = write_large_report(places, Path(folder))
    return made.seconds, "3,000 cases on 8 implementations, read and written"


def _report_size(places: Places) -> tuple[float, str]:
    from plumbline.report import write_large_report

    with tempfile.TemporaryDirectory() as folder:
        made = write_large_report(places, Path(folder))
    return made.size / 1e6, "the folder of 3,000 cases on 8 implementations"


def _page(which: int, what: str) -> Callable[[Places], tuple[float, str]]:
    def work(places: Places) -> tuple[float, str]:
        from plumbline.report import page_times, write_large_report

        with tempfile.TemporaryDirectory() as folder:
            made = write_large_report(places, Path(folder))
            return page_times(made.page)[which], what

    return work


FIGURES = (
    Figure("judge's own cost per case", "< 150 µs", _judge_cost,
           lambda v: v < 150, "µs"),
    Figure("judge's memory growth over 10,000 runs", "< 1,024 KiB", _memory,
           lambda v: v < 1024, "KiB"),
    Figure("the shim's overhead per iteration", "< 1 ns", _shim,
           lambda v: v < 1, "ns"),
    Figure("Node adapter", "≥ 400 cases/s", _rate("node", 4_000),
           lambda v: v >= 400, "cases/s"),
    Figure("C host, reference", "≥ 3,000 cases/s", _rate("ref", 10_000),
           lambda v: v >= 3000, "cases/s"),
    Figure("time-out precision", "< 50 ms", _time_out, lambda v: v < 50,
           "ms"),
    Figure("full run of ref, libuv and node", "< 15 s", _full_run,
           lambda v: v < 15, "s"),
    Figure("nothing changed", "< 1 s", _no_change, lambda v: v < 1, "s"),
    Figure("start-up of --help", "< 200 ms", _help, lambda v: v < 200, "ms"),
    Figure("a large report is made", "< 5 s", _report, lambda v: v < 5, "s"),
    Figure("its size", "< 5 MB", _report_size, lambda v: v < 5, "MB"),
    Figure("its page is opened", "< 1,000 ms",
           _page(0, "from disk in Chromium, until it is loaded"),
           lambda v: v < 1000, "ms"),
    Figure("its page is filtered", "< 50 ms",
           _page(1, "slowest of five searches, with layout"),
           lambda v: v < 50, "ms"),
)


def figure_table(found: Sequence[Measured]) -> Table:
    """The figures as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in (("figure", "left"), ("measured", "right"),
                          ("target", "left"), ("", "left"),
                          ("how", "left")):
        table.add_column(name, justify="right" if justify == "right"
                         else "left")
    for one in found:
        mark = Text("?", "yellow") if one.met is None else (
            Text("✓", "green") if one.met else Text("✗", "bold red")
        )
        table.add_row(one.name, one.value, one.target, mark,
                      Text(one.how, "dim"))
    return table
