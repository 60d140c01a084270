# SPDX-License-Identifier: MIT
"""The libuv of every Node that is here: what it says, how it ends, the corpus.

Usage: in_node.py ADDON.node CONFORM CORPUS-FOLDER CHECKOUT

Looks for Node in PATH and in .runtimes/; ends with 77, which is "skipped",
where there is none.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

ADDON: str
CONFORM: str
CORPUS: str
NODES: dict[str, str] = {}  # the version of its libuv -> the executable

START = {"cmd": "start", "protocol": 1}


def find_nodes(checkout: Path) -> dict[str, str]:
    """One Node for each version of libuv."""
    found = [shutil.which("node"), shutil.which("nodejs")]
    found += sorted(map(str, checkout.glob(".runtimes/node-*/node")))
    nodes: dict[str, str] = {}
    for path in filter(None, found):
        done = subprocess.run(
            [path, "--print", "process.versions.uv"],
            capture_output=True, text=True, timeout=120,
        )
        if done.returncode == 0:
            nodes.setdefault(done.stdout.strip(), path)
    return nodes


def talk(node: str, *commands: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [node, ADDON],
        input="".join(json.dumps(command) + "\n" for command in commands),
        capture_output=True, text=True, timeout=120,
    )


def run(*main: object, **more: object) -> dict[str, Any]:
    program: dict[str, object] = {"main": list(main), **more}
    return {"cmd": "run", "seq": 1, "program": program, "dir": "/"}


class InNode(unittest.TestCase):
    """Every test looks at every Node."""

    def test_the_libuv_is_nodes_and_not_the_systems(self) -> None:
        for version, node in NODES.items():
            with self.subTest(version):
                answer = json.loads(talk(node, START).stdout)
                implementation = answer["implementation"]
                self.assertEqual(implementation["name"], "libuv-in-node")
                self.assertEqual(implementation["version"], version)
                minor = int(version.split(".")[1])
                traits = ["timers-after-poll"] * (minor >= 45) + [
                    "zero-timer-next-iteration"
                ] * (minor >= 48)
                self.assertEqual(answer["traits"], traits)

    def test_the_end_of_input_and_stop_end_the_process(self) -> None:
        for version, node in NODES.items():
            with self.subTest(version):
                stop = {"cmd": "stop"}
                for done in (talk(node), talk(node, START),
                             talk(node, START, stop)):
                    self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_streamed_run_ends_the_process_by_itself(self) -> None:
        timer = {"timer": {"id": "t", "after": 1, "then": [{"log": "b"}]}}
        command = {**run({"log": "a"}, timer), "stream": True}
        for version, node in NODES.items():
            with self.subTest(version):
                done = talk(node, START, command)
                lines = done.stdout.splitlines()[1:]
                self.assertEqual(
                    [json.loads(line) for line in lines],
                    [{"seq": 1, "event": "a"}, {"seq": 1, "event": "b"}],
                )
                self.assertEqual(done.returncode, 0)

    def test_a_signal_that_nobody_handles_ends_the_process(self) -> None:
        command = {**run({"raise": "SIGTERM"}, {"log": "no"}), "stream": True}
        for version, node in NODES.items():
            with self.subTest(version):
                done = talk(node, START, command)
                self.assertEqual(done.returncode, -signal.SIGTERM)
                self.assertNotIn("no", done.stdout.splitlines()[1:])

    def test_the_pool_has_the_size_that_the_program_asks_for(self) -> None:
        def job(block: int, label: str) -> dict[str, Any]:
            return {"work": {"block": block, "then": [{"log": label}]}}

        command = run(job(40, "long"), job(1, "short"), pool=1)
        for version, node in NODES.items():
            with self.subTest(version):
                answer = talk(node, START, command).stdout.splitlines()[1]
                self.assertEqual(
                    json.loads(answer)["events"], ["long", "short"]
                )

    def test_every_case_ends_as_expected(self) -> None:
        for version, node in NODES.items():
            with self.subTest(version):
                done = subprocess.run(
                    [CONFORM, "--corpus", f"{CORPUS}/corpus.jsonl",
                     "--expectations", f"{CORPUS}/expectations.json",
                     "--adapter", f"'{node}' '{ADDON}'", "--quiet"],
                    capture_output=True, text=True, timeout=500,
                )
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 0, said)
                self.assertRegex(done.stdout, r"\b[1-9]\d\d+ pass\b")


if __name__ == "__main__":
    ADDON, CONFORM, CORPUS, checkout = sys.argv[1:]
    ADDON = str(Path(ADDON).resolve())
    NODES = find_nodes(Path(checkout))
    if not NODES:
        print("no Node: neither in PATH nor in .runtimes/")
        sys.exit(77)
    print("libuv", ", ".join(NODES), file=sys.stderr)
    unittest.main(argv=sys.argv[:1])
