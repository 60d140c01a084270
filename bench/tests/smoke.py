# SPDX-License-Identifier: MIT
"""Runs plumb-bench briefly: every check passes, the JSON is as promised.

No time is asserted. Usage: smoke.py PLUMB-BENCH WRONG.so
WRONG_HEAP.so EMPTY.so URING.so PROVIDER...
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

BENCH: str
WRONG: str
WRONG_HEAP: str
EMPTY: str
URING: str  # the reference over io_uring, which may not be allowed
PROVIDERS: list[str]


# What takes too long for a test: 10^5 timers and more, 10^4 descriptors,
# thousands of files, megabytes that live.
SMALL = (
    "--benchmark_filter=-(n:(1000000|100000|10000)/|packages:(100|1000)/"
    "|(semi|live):[1-9][0-9]M/|live:[48]M/)"
)


def run(providers: list[str], *flags: str) -> subprocess.CompletedProcess[str]:
    """plumb-bench over these providers, as short as can be."""
    command = [BENCH, "--benchmark_min_time=0.001", *flags]
    for provider in providers:
        command += ["--provider", provider]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def results(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What --benchmark_format=json printed."""
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def planned(
    providers: list[str], plan: list[str], *flags: str
) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    """plumb-bench with a plan, and the lines of its raw file."""
    with tempfile.TemporaryDirectory() as folder:
        path, raw = Path(folder, "plan"), Path(folder, "raw")
        path.write_text("".join(f"{line}\n" for line in plan))
        done = run(providers, "--no-syscalls", f"--plan={path}", f"--raw={raw}", *flags)
        text = raw.read_text() if raw.exists() else ""
        return done, [json.loads(line) for line in text.splitlines()]


class Smoke(unittest.TestCase):
    """The sentences below are what a reader of results relies on."""

    def test_every_check_of_every_provider_passes(self) -> None:
        done = run(PROVIDERS, "--benchmark_format=json", "--no-syscalls", SMALL)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        document = results(done)
        self.assertEqual(document["context"]["suite_version"].count("."), 2)
        seen: dict[str, set[str]] = {}
        for row in document["benchmarks"]:
            self.assertNotIn("error_message", row)
            path, _, implementation = row["name"].rpartition("/impl:")
            seen.setdefault(implementation, set()).add(path)
            self.assertGreaterEqual(row["version"], 1)
            self.assertGreater(row["process_cpu_ns"], 0)
            self.assertEqual(row["iterations"] % row["batch"], 0, row["name"])
        self.assertEqual(len(seen), len(PROVIDERS))
        for implementation, paths in seen.items():
            self.assertIn(f"provider_{implementation}", document["context"])
            self.assertIn("loop/timers/fire/n:1000", paths)
            self.assertGreaterEqual(len(paths), 35)
        # libuv has no memory of its own and no channels.
        for path in ("heap/scavenge/survivors:50%/semi:1M", "heap/alloc/bytes:4K",
                     "heap/major/incremental/live:1M", "buffers/concat/parts:2",
                     "heap/snapshot/objects:1000", "ipc/messages/bytes:64K"):
            self.assertIn(path, seen["ref"])
            self.assertNotIn(path, seen["libuv"])

    def test_every_check_passes_over_io_uring(self) -> None:
        done = run([URING], "--benchmark_format=json", "--no-syscalls", SMALL)
        rows = results(done)["benchmarks"]
        errors = {row.get("error_message") for row in rows}
        if errors == {"loop_init() failed"}:
            self.skipTest("io_uring is not to be had here")
        self.assertEqual(errors, {None}, done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_provider_s_allocations_are_counted(self) -> None:
        done = run(
            PROVIDERS,
            "--benchmark_format=json",
            "--benchmark_filter=loop/(fs/stat|timers/arm/n:1000)/",
            "--no-syscalls",
        )
        rows = {row["name"]: row for row in results(done)["benchmarks"]}
        libuv = rows["loop/fs/stat/flight:64/impl:libuv"]
        if "allocations" not in libuv:
            self.skipTest("not counted in sanitizer builds")
        # libuv keeps a copy of each path.
        self.assertGreaterEqual(libuv["allocations"], libuv["batch"])
        self.assertEqual(rows["loop/timers/arm/n:1000/impl:ref"]["allocations"], 0)

    def test_a_wrong_answer_has_no_time_and_a_failing_exit_status(self) -> None:
        done = run([WRONG], "--benchmark_format=json", "--no-syscalls")
        self.assertEqual(done.returncode, 1)
        messages = {
            row["name"]: row.get("error_message")
            for row in results(done)["benchmarks"]
        }
        self.assertEqual(
            messages,
            {
                "loop/async/wake/impl:wrong": "a send was not delivered by its turn",
                **{
                    f"loop/async/among/handles:{n}/impl:wrong": "a send was not delivered by its turn"
                    for n in (1, 100, 10000)
                },
                "loop/async/coalesced/impl:wrong": "the sends did not coalesce into one call",
            },
        )

    def test_a_heap_that_does_nothing_is_found_out(self) -> None:
        """Every benchmark of memory, at its first size."""
        done = run([WRONG_HEAP], "--benchmark_format=json", "--no-syscalls")
        self.assertEqual(done.returncode, 1)
        rows = results(done)["benchmarks"]
        self.assertEqual(
            {row["name"] for row in rows if not row.get("error_message")}, set())
        told = {row["name"].split("/impl:")[0]: row["error_message"] for row in rows}
        self.assertGreaterEqual(len({name.split(":")[0] for name in told}), 17)
        self.assertEqual(told["heap/scavenge/survivors:50%/semi:1M"],
                         "it was not one scavenge")
        self.assertEqual(told["heap/trees/depth:8"], "a tree is not whole")

    def test_pauses_are_told_on_both_clocks(self) -> None:
        name = "heap/mutator/live:4M/impl:ref"
        runs = [planned(PROVIDERS[:2], [f"{name} 2 3"])[1][1] for _ in range(2)]
        for line in runs:
            self.assertIsNone(line["error"])
            wall, logical = line["pauses"]
            self.assertEqual([wall["clock"], logical["clock"]], ["wall", "logical"])
            for clock in (wall, logical):
                ends = [begin + length for begin, length in clock["list"]]
                self.assertGreater(len(ends), 5)
                self.assertEqual(ends, sorted(ends))
                self.assertLessEqual(ends[-1], clock["span"])
        # The logical clock is the same in every process.
        self.assertEqual(runs[0]["pauses"][1], runs[1]["pauses"][1])
        self.assertEqual(runs[0]["counters"]["work"], runs[1]["counters"]["work"])

    def test_timers_fire_in_the_order_of_their_starts(self) -> None:
        done = run(
            PROVIDERS,
            "--benchmark_format=json",
            "--benchmark_filter=loop/timers/fire.*/n:1000/",
            "--no-syscalls",
        )
        rows = results(done)["benchmarks"]
        self.assertEqual(len(rows), 3 * len(PROVIDERS))
        for row in rows:
            self.assertEqual(row["disorder"], 0, row["name"])

    def test_system_calls_are_counted_beside_the_time(self) -> None:
        done = run(
            PROVIDERS,
            "--benchmark_format=json",
            "--benchmark_filter=loop/(poll/ping-pong/pairs:1|timers/arm/n:1000"
            "|async/wake)/",
        )
        document = results(done)
        said = document["context"]["syscalls"]
        rows = {row["name"]: row for row in document["benchmarks"]}
        if said != "counted":
            self.assertNotIn("syscalls", rows["loop/async/wake/impl:ref"])
            self.skipTest(f"not counted here: {said}")
        for who in ("ref", "libuv"):
            hop = rows[f"loop/poll/ping-pong/pairs:1/impl:{who}"]
            self.assertAlmostEqual(hop["syscalls"], 3, delta=0.05)  # wait, read, write
            self.assertEqual(rows[f"loop/timers/arm/n:1000/impl:{who}"]["syscalls"], 0)
        self.assertEqual(rows["loop/async/wake/impl:ref"]["syscalls"], 0)
        self.assertEqual(rows["loop/async/wake/impl:libuv"]["syscalls"], 3)

    def test_a_plan_runs_in_its_order_as_often_as_it_says(self) -> None:
        names = [f"loop/timers/{what}/n:1000/impl:ref" for what in ("fire", "arm")]
        done, lines = planned(PROVIDERS[:1], [f"{names[0]} 2 3", f"{names[1]} 4 5"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.get("begin", line.get("name")) for line in lines],
                         [names[0], names[0], names[1], names[1]])
        for line, samples, batches in ((lines[1], 2, 3), (lines[3], 4, 5)):
            self.assertEqual(len(line["cpu_ns"]), samples)
            self.assertEqual(len(line["real_ns"]), samples)
            self.assertEqual(line["batches"], batches)
            self.assertIsNone(line["error"])
            self.assertGreater(min(line["real_ns"]), 0)

    def test_what_a_plan_wastes_is_measured(self) -> None:
        """Twenty times the work cannot be missed on any machine."""
        plan = ["loop/timers/cancel/n:1000/impl:ref 5 20"]
        plain = planned(PROVIDERS[:1], plan)[1][1]
        wasted = planned(PROVIDERS[:1], plan, "--extra=900")[1][1]
        self.assertGreater(min(wasted["cpu_ns"]), 4 * min(plain["cpu_ns"]))

    def test_a_plan_keeps_the_error_and_goes_on(self) -> None:
        done, lines = planned([WRONG], [
            "loop/async/wake/impl:wrong 1 1", "loop/async/coalesced/impl:wrong 1 1"])
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line["error"] for line in lines if "name" in line],
                         ["a send was not delivered by its turn",
                          "the sends did not coalesce into one call"])
        self.assertEqual(lines[1]["cpu_ns"], [])

    def test_a_plan_is_followed_whole_or_not_at_all(self) -> None:
        good = "loop/async/wake/impl:wrong 1 1"
        for plan, why in (
            ([], "it is empty"),
            (["loop/async/wake/impl:wrong 1"], ":1: not NAME SAMPLES BATCHES"),
            ([good, "loop/async/wake/impl:wrong 0 1"], ":2: not NAME"),
            ([good, "loop/async/wake/impl:who 1 1"], "nothing is called loop/async/wake/impl:who"),
            ([good, good], "twice"),
        ):
            done, lines = planned([WRONG], plan)
            self.assertEqual(done.returncode, 2, plan)
            self.assertIn(why, done.stderr)
            self.assertEqual(lines, [])
        self.assertEqual(run([WRONG], "--plan=x").returncode, 2)
        self.assertEqual(run([WRONG], "--extra=-1").returncode, 2)

    def test_the_same_provider_twice_has_two_names(self) -> None:
        done = run([WRONG, WRONG], "--benchmark_list_tests=true")
        self.assertIn("loop/async/wake/impl:wrong\n", done.stdout)
        self.assertIn("loop/async/wake/impl:wrong#2\n", done.stdout)

    def test_nothing_to_measure_is_no_measurement(self) -> None:
        done = run([EMPTY])
        self.assertEqual(done.returncode, 2)
        self.assertIn("offers nothing to measure", done.stderr)
        self.assertEqual(run([]).returncode, 2)
        self.assertEqual(run(["/nowhere.so"]).returncode, 2)
        self.assertEqual(run([WRONG], "--benchmark_filter=nosuch", "--no-syscalls").returncode, 2)
        self.assertEqual(run([WRONG], "--no-such-flag").returncode, 2)


if __name__ == "__main__":
    BENCH, WRONG, WRONG_HEAP, EMPTY, URING, *PROVIDERS = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
