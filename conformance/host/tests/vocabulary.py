# SPDX-License-Identifier: MIT
"""The host's tables of operations say what a file of schema/vocabulary says.

Usage: vocabulary.py PLUMB-HOST PROVIDER.so VOCABULARY.yaml, with a provider
that offers everything that the host can serve.
"""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
from typing import Any

import yaml  # type: ignore[import]

HOST: str
PROVIDER: str
VOCABULARY: str

# `repeat` is written out when the corpus is built, and so are the texts of
# files that are a JSON value or a module.
NEVER_SENT = {"repeat"}
KEYS_NEVER_SENT = {("tree.write", "json"), ("tree.write", "module")}

# Promised for programs of several processes, which another interpreter
# performs (several.c).
FOR_SEVERAL = {"process.exit"}


def ask(programs: list[object]) -> tuple[set[str], list[dict[str, Any]]]:
    """The capabilities of the host, and its answers to these mains."""
    commands: list[object] = [{"cmd": "start", "protocol": 1}]
    commands += [
        {"cmd": "run", "seq": number, "program": {"main": main}}
        for number, main in enumerate(programs)
    ]
    done = subprocess.run(
        [HOST, PROVIDER],
        input="".join(json.dumps(command) + "\n" for command in commands),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    start, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    return set(start["capabilities"]) - FOR_SEVERAL, answers


class Vocabulary(unittest.TestCase):
    """Both sides are asked about every operation and every key."""

    operations: dict[str, dict[str, Any]]
    values: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        with open(VOCABULARY, encoding="utf-8") as file:
            document = yaml.safe_load(file)
        cls.operations = document["operations"]
        cls.values = document.get("values", {})

    def test_an_operation_is_known_when_its_capability_is_promised(self) -> None:
        names = list(self.operations)
        # null is never right: a known operation is malformed.
        promised, answers = ask([[{name: None}] for name in names])
        for name, answer in zip(names, answers, strict=True):
            capability = self.operations[name].get("capability")
            known = name not in NEVER_SENT and (
                capability is None or capability in promised
            )
            self.assertEqual("error" in answer, known, f"{name}: {answer}")

    def test_an_operation_takes_the_keys_of_the_vocabulary(self) -> None:
        promised, _ = ask([])
        asked: list[tuple[str, str, bool]] = []
        for name, operation in self.operations.items():
            capability = operation.get("capability")
            if name in NEVER_SENT or capability not in promised | {None}:
                continue
            properties = set(operation.get("args", {}).get("properties", {}))
            if not properties and not operation.get("callback"):
                continue
            if operation.get("callback"):
                properties |= {"then", "each"}
            if operation.get("id"):
                properties.add("id")
            every = {"then", "each", "id", "log", "of", "start", *properties}
            asked += [(name, key, key in properties) for key in sorted(every)
                      if (name, key) not in KEYS_NEVER_SENT]
        # No key takes an empty object where the rest is missing.
        _, answers = ask([[{name: {key: {}}}] for name, key, _ in asked])
        for (name, key, takes), answer in zip(asked, answers, strict=True):
            message = answer["error"]["message"]
            self.assertEqual(
                f"unknown key `{key}`" not in message, takes, f"{name}: {message}"
            )

    def test_every_value_has_its_meaning(self) -> None:
        names = [name.replace("ID", "x") for name in self.values]
        timer = {"timer": {"id": "x", "start": False}}
        _, answers = ask([[timer, {"log": ["a", name]}] for name in names])
        for name, answer in zip(names, answers, strict=True):
            self.assertNotEqual(answer["events"], [["a", name]], name)


if __name__ == "__main__":
    HOST, PROVIDER, VOCABULARY = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
