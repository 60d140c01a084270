# SPDX-License-Identifier: MIT
"""A judge for the harness's tests: writes made-up results in the real format.

FAKE_CONFORM picks what it does: `good` (the default), `bad`, `truncated`,
`nothing` (says why and ends with 2), `slow` (a case a second), `held` (stands
still behind two cases until SIGINT, and ends as the real one does), `stubborn`
(stands still behind the first line, deaf to SIGINT), `segv`, `ask` (loads the
provider and calls plumb_answer(): 42 is right, a negative answer stands for a
hang, and anything else fails the first case), `deaf-libuv` (libuv supports
nothing).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import samples

_LONGEST = 600.0  # seconds; a test that forgets a judge leaves it no longer


def _selected(
    cases: list[dict[str, Any]], patterns: list[str], shard: str
) -> list[dict[str, Any]]:
    number, count = map(int, shard.split("/"))
    hashes = {c["id"]: int(c["hash"], 16) for c in samples.CASES}
    return [
        c
        for c in cases
        if hashes[c["id"]] % count == number - 1
        and (not patterns or any(
            fnmatchcase(c["id"], p) or c["id"].startswith(p + "/")
            or c["rule"] == p
            for p in patterns
        ))
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    for flag in ("corpus", "provider", "host", "adapter", "expectations",
                 "results", "repeat", "timeout", "seed", "shard"):
        parser.add_argument(f"--{flag}")
    parser.add_argument("--select", action="append", default=[])
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)
    if log := os.environ.get("FAKE_CONFORM_LOG"):
        with open(log, "a") as file:
            file.write(json.dumps(arguments) + "\n")
    mode = os.environ.get("FAKE_CONFORM", "good")
    name = "ref"
    if options.adapter:
        name = Path(options.adapter.split()[0]).stem
    elif options.provider:
        name = Path(options.provider).stem.removeprefix("libplumb-")
    cases = samples.bad_cases() if mode == "bad" else samples.good_cases()
    if mode == "ask":
        answer = ctypes.CDLL(options.provider).plumb_answer()
        if answer != 42:
            verdict = "timeout" if answer < 0 else "fail"
            cases[0] = samples.result(cases[0]["id"], verdict)
    cases = _selected(cases, options.select, options.shard or "1/1")
    if mode == "nothing" or not cases:
        print("conform: no case is selected", file=sys.stderr)
        return 2
    if mode == "deaf-libuv" and name == "libuv":
        cases = [samples.result(c["id"], "unsupported") for c in cases]
    lines = samples.results_lines(name, "0.1.0", cases,
                                  command=["conform", *(
                                      ["--shard", options.shard]
                                      if options.shard else [])])
    if mode == "truncated":
        lines.pop()
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = mode != "stubborn"

    signal.signal(signal.SIGINT, stop)
    with open(options.results, "w") as file:
        for number, line in enumerate(lines):
            if stopped:
                cut = samples.results_lines(
                    name, "0.1.0", cases[: number - 1], complete=False
                )
                print(json.dumps(cut[-1]), file=file)
                return 130
            print(json.dumps(line), file=file, flush=True)
            if mode == "slow":
                time.sleep(1)
            if number == {"held": 2, "stubborn": 0}.get(mode):
                end = time.monotonic() + _LONGEST
                while not stopped and time.monotonic() < end:
                    time.sleep(0.02)
            if mode == "segv" and number == 1:
                os.kill(os.getpid(), signal.SIGSEGV)
    if all(case["verdict"] == "unsupported" for case in cases):
        print("conform: this run proves nothing", file=sys.stderr)
        return 2
    return 1 if any(case["unexpected"] for case in cases) else 0
