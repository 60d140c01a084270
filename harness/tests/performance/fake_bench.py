#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands for plumb-bench. A library is a JSON file:

    {"impl": "ref", "times": {"a/n:1": 100.0}, "counters": {...},
     "error": {"a/n:1": "why"}, "crash": {"a/n:1": 3}, "refuse": "why",
     "negative": ["a/n:1"]}

`crash` says in which process that runs the benchmark it dies; processes are
counted in a file beside the library.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def value_of(words: list[str], name: str) -> str | None:
    for at, word in enumerate(words):
        if word == name:
            return words[at + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def count(library: Path, name: str) -> int:
    file = library.with_suffix(f".{name.replace('/', '-')}.count")
    number = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(number))
    return number


def run(library: Path, known: dict[str, Any], line: str, extra: float
        ) -> dict[str, Any] | None:
    full, samples, batches = line.split()
    name = full.rpartition("/impl:")[0]
    number = count(library, name)
    if known.get("crash", {}).get(name) == number:
        os.kill(os.getpid(), signal.SIGSEGV)
    time = known["times"][name] * (1 + extra / 100)
    if name in known.get("negative", []):
        time = -time
    error = known.get("error", {}).get(name)
    each = [] if error else [round(time * 10 * int(batches))] * int(samples)
    return {
        "name": full, "version": known.get("version", 1), "batch": 10,
        "batches": int(batches), "cpu_ns": each, "real_ns": each,
        "counters": known.get("counters", {}).get(name, {}),
        "involuntary": 0, "elapsed_ns": 1000,
        "pauses": known.get("pauses", {}).get(name, []), "error": error,
    }


def main() -> int:
    words = sys.argv[1:]
    library = Path(value_of(words, "--provider") or "")
    known = json.loads(library.read_text())
    if known.get("refuse"):
        print(f"plumb-bench: {known['refuse']}", file=sys.stderr)
        return 2
    if "--benchmark_list_tests=true" in words:
        for name in known["times"]:
            print(f"{name}/impl:{known['impl']}")
        return 0
    plan, raw = value_of(words, "--plan"), value_of(words, "--raw")
    extra = float(value_of(words, "--extra") or 0)
    assert plan and raw
    status = 0
    with open(raw, "w") as out:
        for line in Path(plan).read_text().splitlines():
            out.write(json.dumps({"begin": line.split()[0]}) + "\n")
            out.flush()
            record = run(library, known, line, extra)
            out.write(json.dumps(record) + "\n")
            status |= bool(record and record["error"])
    return status


if __name__ == "__main__":
    sys.exit(main())
