# SPDX-License-Identifier: MIT
"""libev behind the provider ABI: what it offers, how it counts, the corpus.

Usage: libev.py PLUMB-HOST PROVIDER.so CONFORM CORPUS-FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
from typing import Any

HOST: str
PROVIDER: str
CONFORM: str
CORPUS: str

Events = list[Any]


def ask(*mains: list[object]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The host's start answer, and its answers to these programs."""
    commands: list[object] = [{"cmd": "start", "protocol": 1}]
    commands += [
        {"cmd": "run", "seq": number, "program": {"main": main}}
        for number, main in enumerate(mains)
    ]
    done = subprocess.run(
        [HOST, PROVIDER],
        input="".join(json.dumps(command) + "\n" for command in commands),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    start, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    return start, answers


def events(main: list[object]) -> Events:
    """What one program records."""
    _, (answer,) = ask(main)
    assert "events" in answer, answer
    found: Events = answer["events"]
    return found


class Offer(unittest.TestCase):
    """Only what libev has."""

    def test_what_libev_has_is_promised_and_nothing_else(self) -> None:
        start, _ = ask()
        self.assertEqual(start["implementation"]["name"], "libev")
        self.assertRegex(start["implementation"]["version"], r"^4\.\d+$")
        self.assertEqual(
            set(start["capabilities"]),
            {"loop.ref", "loop.timer", "loop.watcher", "loop.async",
             "loop.poll", "loop.signal", "loop.run"},
        )
        self.assertEqual(
            start["traits"], ["timers-after-poll", "zero-timer-next-iteration"]
        )

    def test_what_it_cannot_tell_is_unsupported(self) -> None:
        timer = {"timer": {"id": "t", "after": 1}}
        _, answers = ask(
            [timer, {"close": {"of": "t"}}],
            [{"log": ["a", "$alive"]}],
            [{"log": ["a", "$timeout"]}],
        )
        for answer in answers:
            self.assertIn("unsupported", answer)

    def test_a_pool_of_a_size_cannot_be_had(self) -> None:
        command = {"cmd": "run", "seq": 0, "program": {"main": [], "pool": 2}}
        start = {"cmd": "start", "protocol": 1}
        done = subprocess.run(
            [HOST, PROVIDER],
            input=f"{json.dumps(start)}\n{json.dumps(command)}\n",
            capture_output=True, text=True, timeout=120, check=True,
        )
        answer = json.loads(done.stdout.splitlines()[1])
        self.assertIn("pool threads", answer["unsupported"])


class References(unittest.TestCase):
    """libev has a count; the provider makes an exact flag of it. A count
    that is off by one ends a run too early or never."""

    def test_an_unreferenced_timer_that_fired_gives_its_count_back(
        self,
    ) -> None:
        # Were it not given back, the second timer would not be waited for.
        trace = events([
            {"timer": {"id": "u", "after": 1, "then": [{"log": "u"}]}},
            {"unref": "u"},
            {"timer": {"id": "a", "after": 10, "then": [
                {"log": "a"},
                {"timer": {"id": "b", "after": 10, "then": [{"log": "b"}]}},
            ]}},
            {"run": {"mode": "default", "log": "alive"}},
        ])
        self.assertEqual(trace, ["u", "a", "b", ["alive", False]])

    def test_one_that_is_stopped_while_it_waits_to_be_called_too(self) -> None:
        # Both are due in one iteration; the first called stops the other.
        other = {"a": "b", "b": "a"}
        main: list[object] = [
            {"timer": {"id": name, "after": 1, "then": [
                {"log": "one"}, {"stop": other[name]},
                {"timer": {"id": "c", "after": 5, "then": [{"log": "c"}]}},
            ]}} for name in "ab"
        ]
        main += [{"unref": "a"}, {"unref": "b"}, {"check": {"id": "k"}},
                 {"block": 3}, {"run": {"mode": "once"}}, {"stop": "k"},
                 {"run": {"mode": "default", "log": "alive"}}]
        self.assertEqual(events(main), ["one", "c", ["alive", False]])

    def test_repeated_starts_stops_and_flags_never_add_up(self) -> None:
        again: list[object] = []
        for _ in range(5):
            again += [{"unref": "i"}, {"unref": "i"}, {"start": "i"},
                      {"stop": "i"}, {"ref": "i"}, {"start": "i"},
                      {"unref": "i"}, {"stop": "i"}, {"start": "i"}]
        keep = {"timer": {"id": "t", "after": 5, "then": [{"log": "t"}]}}
        trace = events([
            {"prepare": {"id": "i"}}, *again, {"log": ["ref", "$hasref:i"]},
            keep, {"run": {"mode": "default", "log": "alive"}},
            {"ref": "i"}, {"run": {"mode": "nowait", "log": "alive"}},
            {"stop": "i"}, {"run": {"mode": "nowait", "log": "alive"}},
        ])
        self.assertEqual(trace, [["ref", False], "t", ["alive", False],
                                 ["alive", True], ["alive", False]])

    def test_restarting_an_unreferenced_timer_keeps_the_flag(self) -> None:
        trace = events([
            {"timer": {"id": "t", "after": 60000, "repeat": 60000}},
            {"unref": "t"},
            {"timer.start": {"of": "t", "after": 50000, "repeat": 1000}},
            {"timer.again": {"of": "t"}},
            {"log": ["active", "$active:t"]},
            {"run": {"mode": "default", "log": "alive"}},
            {"ref": "t"},
            {"run": {"mode": "nowait", "log": "alive"}},
        ])
        self.assertEqual(trace, [["active", True], ["alive", False],
                                 ["alive", True]])

    def test_a_timer_that_again_stops_gives_its_count_back(self) -> None:
        trace = events([
            {"timer": {"id": "t", "after": 60000}}, {"unref": "t"},
            {"timer.again": {"of": "t"}}, {"log": ["active", "$active:t"]},
            {"timer": {"id": "a", "after": 5, "then": [{"log": "a"}]}},
            {"run": {"mode": "default", "log": "alive"}},
        ])
        self.assertEqual(trace, [["active", False], "a", ["alive", False]])


class Nothing(unittest.TestCase):
    """What a program leaves behind is stopped, also what is pending."""

    def test_handles_of_every_kind_left_behind_disturb_nobody(self) -> None:
        left: list[object] = [
            {"timer": {"id": "t", "after": 0, "repeat": 1}},
            {"timer": {"id": "u", "after": 60000}}, {"unref": "u"},
            {"idle": {"id": "i"}}, {"prepare": {"id": "p"}},
            {"check": {"id": "c"}}, {"async": {"id": "a"}},
            {"async.send": {"to": "a", "times": 100, "threads": 4}},
            {"poll": {"id": "d"}}, {"poll.write": "d"},
            {"signal": {"id": "s", "signal": "SIGUSR1"}},
            {"raise": "SIGUSR1"}, {"run": {"mode": "nowait", "log": "alive"}},
        ]
        _, answers = ask(*[left] * 50, [{"log": "fresh"}])
        for answer in answers[:-1]:
            self.assertEqual(answer["events"], [["alive", True]])
        self.assertEqual(answers[-1]["events"], ["fresh"])


class Corpus(unittest.TestCase):
    """Every case ends as expectations/libev.yaml says."""

    def test_every_case_ends_as_expected(self) -> None:
        done = subprocess.run(
            [CONFORM, "--corpus", f"{CORPUS}/corpus.jsonl",
             "--expectations", f"{CORPUS}/expectations.json",
             "--provider", PROVIDER, "--host", HOST, "--quiet"],
            capture_output=True, text=True, timeout=280,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"\b[1-9]\d+ pass\b")


if __name__ == "__main__":
    HOST, PROVIDER, CONFORM, CORPUS = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
