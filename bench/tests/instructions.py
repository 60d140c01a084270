# SPDX-License-Identifier: MIT
"""Counts instructions of measured regions again and again: the same.

Usage: instructions.py PLUMB-BENCH PROVIDER. Skipped (status 77) where
valgrind is not installed or cannot run the program.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

# None of them looks at the clock, whose hands no simulator stops.
BENCHMARKS = (
    "loop/timers/cancel/n:1000",
    "loop/queues/tick",
    "loop/queues/microtask",
)


def count(bench: str, provider: str, name: str, *, more: str = "") -> int:
    """Instructions of the second batch, as callgrind counts them."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--collect-atstart=no", "--toggle-collect=bench_measured",
         bench, "--provider", provider, "--traced", name],
        capture_output=True, text=True, timeout=200,
        env={**os.environ, "PLUMB_MORE_ENVIRONMENT": more,
             "GLIBC_TUNABLES": "glibc.malloc.arena_max=1"})
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or found is None:
        print(done.stderr[-2000:])
        sys.exit(77 if "unhandled instruction" in done.stderr
                 or "SIGILL" in done.stderr else 1)
    return int(found[1])


def main() -> int:
    bench, provider = sys.argv[1:]
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 77
    bad = 0
    for name in BENCHMARKS:
        counts = [count(bench, provider, name) for _ in range(3)]
        # Where the stack begins may decide how a copy of bytes is aligned.
        moved = count(bench, provider, name, more="x" * 3000)
        print(f"{name}: {counts}, with a larger environment {moved}")
        # The measured region, and neither nothing nor the whole process.
        bad += not (len(set(counts)) == 1 and 1000 < counts[0] < 10_000_000)
        bad += abs(moved - counts[0]) > 1e-3 * counts[0]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
