# SPDX-License-Identifier: MIT
"""Programs of modules over a real provider: what the host itself does.

The corpus judges resolvers and loaders; here stand values, frames, errors and
what is refused.

Usage: modules.py PLUMB-HOST PROVIDER.so
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

HOST: str
PROVIDER: str

CALL = "plumb({}, exports, require, module, __filename, __dirname);\n"


def run(
    main: list[object],
    bodies: list[object] | None = None,
    files: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The answer to a program; body number n is that of the file `mN.js`."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(len(bodies or [])):
            (Path(folder) / f"m{number}.js").write_text(CALL.format(number))
        for name, text in (files or {}).items():
            (Path(folder) / name).write_text(text)
        program: dict[str, object] = {"main": main}
        if bodies is not None:
            program["bodies"] = bodies
        commands: list[object] = [
            {"cmd": "start", "protocol": 1},
            {"cmd": "run", "seq": 1, "program": program, "dir": folder},
        ]
        done = subprocess.run(
            [HOST, PROVIDER],
            input="".join(json.dumps(command) + "\n" for command in commands),
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[1])
    return answer


def load(number: int, log: str = "v") -> dict[str, object]:
    return {"require": {"specifier": f"./m{number}", "log": log}}


class Modules(unittest.TestCase):
    """Each test is one program, or a few of one kind."""

    def events(self, answer: dict[str, Any]) -> Any:
        self.assertIn("events", answer, answer)
        return answer["events"]

    def fails(self, answer: dict[str, Any], text: str) -> None:
        self.assertIn("error", answer, answer)
        self.assertIn(text, answer["error"]["message"])

    def test_values_are_written_as_javascript_writes_them(self) -> None:
        values: list[tuple[object, object]] = [
            (None, None),
            (1.5, 1.5),
            ("t\u00e9\n", "t\u00e9\n"),
            ([1.0, 0.1, 1e300], "[1,0.1,1e+300]"),
            ({"b": 1, "10": 2, "a": None, "9": []}, '{"9":[],"10":2,"b":1,"a":null}'),
        ]
        for value, shown in values:
            body = [{"exports.replace": {"value": value}}]
            self.assertEqual(self.events(run([load(0)], [body])), [["v", shown]])

    def test_exports_that_contain_themselves_are_an_object(self) -> None:
        body: list[object] = [
            {"require": {"specifier": "./m0", "id": "self"}},
            {"exports.set": {"name": "x", "of": "self"}},
        ]
        self.assertEqual(self.events(run([load(0)], [body])), [["v", "object"]])

    def test_functions_and_getters_run_in_the_frame_of_their_module(self) -> None:
        shows = {"module": {"show": "file", "log": "file"}}
        body: list[object] = [
            {"exports.function": {"name": "f", "then": [shows]}},
            {"exports.getter": {"name": "g", "value": 1, "then": [shows]}},
        ]
        main: list[object] = [
            {"require": {"specifier": "./m0", "id": "m"}},
            {"call": {"of": "m", "name": "f"}},
            {"get": {"of": "m", "name": "g", "log": "g"}},
            {"get": {"of": "m", "name": "none", "log": "none"}},
            {"names": {"of": "m", "log": "names"}},
        ]
        self.assertEqual(
            self.events(run(main, [body])),
            [["file", "m0.js"], ["file", "m0.js"], ["g", 1], ["none", "undefined"],
             ["names", "f g"]],
        )

    def test_an_error_goes_on_until_somebody_asks_for_it(self) -> None:
        bodies: list[object] = [
            [{"require": {"specifier": "./m1"}}, {"log": "not reached"}],
            [{"require": {"specifier": "./none"}}],
        ]
        main: list[object] = [
            {"require": {"specifier": "./m0", "id": "a", "log": "a"}},
            {"error": {"of": "a", "show": "require-stack", "log": "stack"}},
        ]
        self.assertEqual(
            self.events(run(main, bodies)),
            [["a", "!MODULE_NOT_FOUND"], ["stack", "m1.js m0.js main.js"]],
        )

    def test_an_error_that_nobody_asks_for_fails_the_run(self) -> None:
        missing = {"require": {"specifier": "./none"}}
        late = {"immediate": {"then": [missing]}}
        thrown = [{"module.throw": {"message": "boom"}}]
        self.fails(run([missing]), "nobody catches the error MODULE_NOT_FOUND")
        self.fails(run([late]), "nobody catches the error MODULE_NOT_FOUND")
        self.fails(run([{"require": {"specifier": "./m0"}}], [thrown]), "boom")

    def test_only_the_bodies_of_the_program_are_run(self) -> None:
        for text in ("1\n", CALL.format(7), CALL.format(0) + "//", "plumb(x);"):
            files = {"a.js": text}
            main: list[object] = [{"require": {"specifier": "./a", "log": "v"}}]
            self.fails(run(main, [[]], files), "no module's of the program")

    def test_what_is_malformed_is_refused_with_its_place(self) -> None:
        for operation, text in (
            ({"exports.set": {"name": "x"}}, "main[0].exports.set"),
            ({"require": {"specifier": []}}, "a scalar is wanted"),
            ({"resolve": {"specifier": "x", "via": "magic"}}, "require or import"),
            ({"get": {"of": "x", "name": "y", "log": "z"}}, "nothing in the program"),
            ({"search-path": ["a", 1]}, "a text is wanted"),
            ({"cache.delete": ""}, "a text is wanted"),
            ({"error": {"of": "e", "show": "file", "log": "z"}}, "show"),
        ):
            self.fails(run([operation]), text)
        self.fails(run([], [[{"log": 1}]]), "bodies[0][0].log")
        self.fails(run([], [1]), "a list of operations is wanted")

    def test_an_id_names_one_kind_of_outcome(self) -> None:
        main: list[object] = [
            {"resolve": {"specifier": "./m0", "id": "r"}},
            {"get": {"of": "r", "name": "x", "log": "x"}},
        ]
        self.fails(run(main, [[]]), "`r` is a resolve")

    def test_es_modules_are_not_supported(self) -> None:
        answer = run([], [{"imports": [], "do": [{"log": "x"}]}])
        self.assertIn("ES modules", answer["unsupported"])

    def test_reload_ends_what_a_module_started(self) -> None:
        body: list[object] = [
            {"interval": {"every": 1, "then": [{"log": "tick"}]}},
            {"signal": {"id": "s", "signal": "SIGUSR1", "then": [{"log": "s"}]}},
        ]
        main: list[object] = [
            {"require": {"specifier": "./m0"}},
            {"reload": "m0.js"},
            {"timeout": {"after": 5, "then": [{"log": "end"}]}},
        ]
        self.assertEqual(self.events(run(main, [body])), ["end"])


if __name__ == "__main__":
    HOST, PROVIDER = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
