# SPDX-License-Identifier: MIT
"""A small world of made-up corpus and results, in the real formats.

The tests of the harness do not depend on what the judge says today: they
read files that are written here, with every verdict and with text that is
hostile to HTML and to terminals.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">[bold]&amp;"

RULES: dict[str, dict[str, Any]] = {
    "LOOP-CHECK-2": {
        "level": "MUST",
        "title": "In an I/O callback, an immediate runs before a timer",
        "text": "After poll comes check; timers come in the next iteration.",
        "source": "Node documentation, setImmediate() vs setTimeout()",
        "since": None,
        "file": "conformance/spec/loop.md",
        "line": 12,
        "area": "loop",
    },
    "LOOP-TIMER-1": {
        "level": "SHOULD",
        "title": "Timers of one duration fire in the order of their start",
        "text": HOSTILE,
        "source": "Node documentation, timers",
        "since": "Node 11",
        "file": "conformance/spec/loop.md",
        "line": 30,
        "area": "loop",
    },
    "MOD-MAIN-1": {
        "level": "OBSERVED",
        "title": "A directory's index is its main",
        "text": "Observed.",
        "source": "lib/internal/modules/cjs/loader.js",
        "since": None,
        "file": "conformance/spec/modules.md",
        "line": 3,
        "area": "modules",
    },
}


def case(
    name: str,
    rule: str,
    program: Sequence[Any],
    expect: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """A line of corpus.jsonl."""
    area, topic, _ = name.split("/")
    return {
        "kind": "case",
        "id": name,
        "rule": rule,
        "level": RULES[rule]["level"],
        "area": area,
        "topic": topic,
        "claim": None,
        "needs": [],
        "runs": 1,
        "isolation": "shared",
        "pool": None,
        "timeout_ms": 5000,
        "env": {},
        "program": {"main": list(program)},
        "files": {},
        "expect": expect,
        "by_trait": [],
        "evidence": {},
        "disputed": None,
        "source": {"file": f"conformance/cases/{area}/{topic}.yaml",
                   "line": 4},
        "hash": hashlib.sha256(name.encode()).hexdigest()[:16],
        **more,
    }


def _events(*labels: str) -> dict[str, Any]:
    return {"seq": [{"ev": label} for label in labels]}


_LOG_BOTH = [
    {"timeout": {"after": 0, "then": [{"log": "timeout"}]}},
    {"immediate": {"then": [{"log": "immediate"}]}},
]

CASES = [
    case(
        "loop/check/immediate-before-timeout-inside-io",
        "LOOP-CHECK-2",
        [{"fs.stat": {"path": ".", "then": _LOG_BOTH}}],
        _events("immediate", "timeout"),
        needs=["loop.timeout", "loop.immediate", "loop.fs"],
        claim="After poll comes check.",
    ),
    case(
        "loop/check/unordered-from-main",
        "LOOP-CHECK-2",
        _LOG_BOTH,
        {"any": [{"ev": "timeout"}, {"ev": "immediate"}]},
        runs=50,
        needs=["loop.timeout", "loop.immediate"],
    ),
    case(
        "loop/timers/same-duration",
        "LOOP-TIMER-1",
        [{"timeout": {"after": 1, "then": [{"log": ["a", "$elapsed"]}]}},
         {"timeout": {"after": 1, "then": [{"log": HOSTILE}]}}],
        {"seq": [{"ev": "a", "value": {"min": 1}}, {"ev": HOSTILE}]},
        by_trait=[{"trait": "timer-lists", "expect": _events("a")}],
    ),
    case(
        "loop/timers/handle-repeats",
        "LOOP-TIMER-1",
        [{"timer": {"id": "t", "after": 1, "repeat": 1,
                    "each": [[{"log": "one"}],
                             [{"log": "two"}, {"close": {"of": "t"}}]]}}],
        _events("one", "two"),
        needs=["loop.timer", "loop.close"],
    ),
    case(
        "modules/main/index",
        "MOD-MAIN-1",
        [{"log": "x"}],
        _events("x"),
    ),
]


def result(name: str, verdict: str = "pass", **more: Any) -> dict[str, Any]:
    """A case's line of results.jsonl."""
    found = next(c for c in CASES if c["id"] == name)
    expected = more.pop("expected", ["pass"])
    informs = verdict in ("differs", "unsupported", "disputed")
    return {
        "kind": "case",
        "id": name,
        "rule": found["rule"],
        "level": found["level"],
        "area": found["area"],
        "verdict": verdict,
        "expected": expected,
        "unexpected": verdict not in expected and not informs,
        "reason": None,
        "runs": 1,
        "duration_ms": 1.25,
        "traces": [{"events": ["x"], "count": 1,
                    "allowed": verdict == "pass"}],
        "explanation": None,
        "detail": None,
        "stderr": None,
        "evidence": {},
        **more,
    }


def results_lines(
    name: str,
    version: str,
    cases: Sequence[Mapping[str, Any]],
    complete: bool = True,
    **header: Any,
) -> list[dict[str, Any]]:
    """Header, cases and footer of a results file."""
    totals = Counter(case["verdict"] for case in cases)
    return [
        {
            "kind": "header",
            "format": 1,
            "suite": "0.1.0",
            "implementation": {"name": name, "version": version,
                               "language": "C", "homepage": ""},
            "capabilities": ["loop.timeout"],
            "traits": [],
            "machine": {"os": "Linux", "kernel": "6.1", "arch": "x86_64",
                        "cores": 2},
            "command": ["conform"],
            "selected": len(cases),
            "started": "2025-01-01T00:00:00Z",
            "seed": 1,
            **header,
        },
        *(dict(case) for case in cases),
        {
            "kind": "footer",
            "complete": complete,
            "totals": dict(totals),
            "unexpected": sum(case["unexpected"] for case in cases),
            "duration_ms": 12.5,
        },
    ]


def good_cases() -> list[dict[str, Any]]:
    """What an implementation answers that is right everywhere."""
    return [
        result(
            "loop/check/immediate-before-timeout-inside-io",
            traces=[{"events": ["immediate", "timeout"], "count": 1,
                     "allowed": True}],
        ),
        result(
            "loop/check/unordered-from-main",
            runs=50,
            traces=[
                {"events": ["timeout", "immediate"], "count": 31,
                 "allowed": True},
                {"events": ["immediate", "timeout"], "count": 19,
                 "allowed": True},
            ],
        ),
        result("loop/timers/same-duration"),
        result("loop/timers/handle-repeats"),
        result("modules/main/index"),
    ]


def bad_cases() -> list[dict[str, Any]]:
    """One that fails, one known failure, one crash, one unsupported."""
    return [
        result(
            "loop/check/immediate-before-timeout-inside-io",
            "fail",
            traces=[{"events": ["timeout", "immediate"], "count": 1,
                     "allowed": False}],
            explanation={
                "summary": "expected `immediate` before `timeout`",
                "kind": "order", "at": 0, "expected": ["immediate"],
                "before": "immediate", "after": "timeout",
            },
        ),
        result(
            "loop/check/unordered-from-main", "fail", expected=["fail"],
            reason="never lets the timer win",
            traces=[{"events": ["immediate"], "count": 50,
                     "allowed": False}],
            runs=50,
        ),
        result(
            "loop/timers/same-duration", "crash", traces=[],
            detail="ended by SIGSEGV", stderr=f"line 1\n{HOSTILE}\n",
        ),
        result("loop/timers/handle-repeats", "unsupported", traces=[],
               detail="loop.timer is not promised"),
        result("modules/main/index", "differs"),
    ]


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n"
                for line in lines)
    )
    return path


def write_results(folder: Path) -> list[Path]:
    """The results of a good and a bad implementation."""
    return [
        write_lines(folder / "ref-0.1.0.jsonl",
                    results_lines("ref", "0.1.0", good_cases())),
        write_lines(folder / "node-20.20.2.jsonl",
                    results_lines("node", "20.20.2", bad_cases())),
    ]


_FAKE = """#!{python}
import sys
sys.path.insert(0, {here!r})
from fake_conform import main
sys.exit(main(sys.argv[1:]))
"""


def write_build(folder: Path) -> Path:
    """A build folder with a made-up corpus and a made-up judge."""
    head = {"kind": "corpus", "format": 1, "suite": "0.1.0",
            "cases": len(CASES), "rules": len(RULES)}
    write_lines(folder / "corpus/corpus.jsonl", [head, *CASES])
    (folder / "corpus/rules.json").write_text(json.dumps(RULES))
    (folder / "corpus/expectations.json").write_text(
        '{"format": 1, "implementations": {}}'
    )
    for name in (
        "conformance/runner/conform",
        "conformance/host/plumb-host",
        "conformance/peer/plumb-peer",
        "conformance/adapters/libuv/libplumb-libuv.so",
        "ref/libplumb-ref.so",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            _FAKE.format(python=sys.executable,
                         here=str(Path(__file__).parent))
        )
        path.chmod(0o755)
    return folder


def held_judges(folder: Path) -> int:
    """How many judges have come to where FAKE_CONFORM=held stands still."""
    return sum(path.read_bytes().count(b"\n") == 3
               for path in folder.glob(".*.part"))


def golden(name: str, text: str) -> None:
    """Compare with a file of golden/; PLUMBLINE_GOLDEN=write rewrites it."""
    path = Path(__file__).parent / "golden" / name
    if os.environ.get("PLUMBLINE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        f"{path.name} differs; if the new text is right, run the tests with "
        "PLUMBLINE_GOLDEN=write and look at the change"
    )
