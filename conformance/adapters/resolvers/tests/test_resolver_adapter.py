# SPDX-License-Identifier: MIT
"""The adapter of resolvers: answers, refusals, and errors as codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.places import find_places
from plumbline.registry import read_registry

_ADAPTER = Path(__file__).parents[1] / "adapter.cjs"
_NAMES = ("enhanced-resolve", "oxc-resolver")
Run = Callable[..., dict[str, Any]]


class _Adapter:
    """One adapter process."""

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seq = 0

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def run(self, *main: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.seq += 1
        answer = self.ask({"cmd": "run", "seq": self.seq, "files": {},
                           "dir": str(self.folder),
                           "program": {"main": list(main)}, **more})
        assert answer.pop("seq") == self.seq
        return answer


@pytest.fixture(params=_NAMES)
def adapter(request: pytest.FixtureRequest,
            tmp_path: Path) -> Iterator[_Adapter]:
    """Each resolver that was added."""
    registry = read_registry(find_places())
    found = registry.found(registry.entry(request.param))
    if not found or shutil.which(found[0].command[0]) is None:
        pytest.skip(f"{request.param} was not added, or there is no node")
    one = _Adapter(found[0].command, tmp_path)
    yield one
    assert one.process.stdin and one.process.stdout
    one.process.stdin.close()
    assert one.process.wait(20) == 0
    one.process.stdout.close()


def _write(path: str, text: str) -> dict[str, Any]:
    return {"tree.write": {"path": path, "text": text}}


def _resolve(specifier: str, **more: Any) -> dict[str, Any]:
    return {"resolve": {"specifier": specifier, "log": "found", **more}}


def test_the_start_says_who_it_is(adapter: _Adapter) -> None:
    """Name and version are those of the package."""
    said = adapter.ask({"cmd": "start", "protocol": 1})
    assert said["protocol"] == 1
    assert said["implementation"]["name"] in _NAMES
    assert "modules.resolve" in said["capabilities"]
    assert "modules.core" not in said["capabilities"]


def test_paths_are_relative_to_the_case(adapter: _Adapter) -> None:
    """A file, a directory, a package, one asked for from elsewhere."""
    package = json.dumps({"exports": {"zed": "./z.js", "require": "./r.js"}})
    answer = adapter.run(
        _write("a.js", ""), _write("d/index.json", "{}"),
        _write("node_modules/p/package.json", package),
        _write("node_modules/p/r.js", ""), _write("node_modules/p/z.js", ""),
        _resolve("./a"), _resolve("./d"), _resolve("p"),
        _resolve("../a", **{"from": "d/x.js"}),
        _resolve("p", conditions=["zed"]), _resolve("$dir/a.js"))
    assert "unsupported" not in answer
    assert [value for _, value in answer["events"]] == [
        "a.js", "d/index.json", "node_modules/p/r.js", "a.js",
        "node_modules/p/z.js", "a.js"]


def test_errors_have_nodes_codes(adapter: _Adapter) -> None:
    """The texts of both resolvers are in the table."""
    package = json.dumps({"exports": {"./a": "../out.js"},
                          "imports": {"#y": "./y.js"}})
    answer = adapter.run(
        _write("package.json", json.dumps({"imports": {"#y": "./y.js"}})),
        _write("node_modules/p/package.json", package),
        _write("node_modules/q/package.json", "{"),
        _resolve("./nope"), _resolve("p/b"), _resolve("p/a"), _resolve("q"),
        _resolve("#x"))
    assert [value for _, value in answer["events"]] == [
        "!MODULE_NOT_FOUND", "!ERR_PACKAGE_PATH_NOT_EXPORTED",
        "!ERR_INVALID_PACKAGE_TARGET", "!ERR_INVALID_PACKAGE_CONFIG",
        "!ERR_PACKAGE_IMPORT_NOT_DEFINED"]


def test_a_change_of_the_tree_is_seen(adapter: _Adapter) -> None:
    """Nothing is kept beyond it, and nothing of another program's."""
    steps = [_resolve("./a"), _write("a.js", ""), _resolve("./a"),
             {"tree.remove": "a.js"}, _resolve("./a")]
    for _ in range(2):
        assert [value for _, value in adapter.run(*steps)["events"]] == [
            "!MODULE_NOT_FOUND", "a.js", "!MODULE_NOT_FOUND"]


@pytest.mark.parametrize("step", [
    {"require": {"specifier": "./a"}},
    {"resolve": {"specifier": "./a"}},
    {"resolve": {"specifier": "./a", "via": "import", "log": "x"}},
    {"resolve": {"specifier": 5, "log": "x"}},
    {"resolve": {"specifier": "a", "paths": ["d"], "log": "x"}},
    {"constructor": {}},
])
def test_what_is_more_than_resolving_is_unsupported(
    adapter: _Adapter, step: dict[str, Any]
) -> None:
    """And nothing of the program is done."""
    answer = adapter.run(_write("left.js", ""), step)
    assert "unsupported" in answer
    assert not (adapter.folder / "left.js").exists()


def test_an_operation_that_fails_is_an_error(adapter: _Adapter) -> None:
    """And the next program is run."""
    answer = adapter.run({"tree.rename": {"path": "nope", "to": "x"}})
    assert "ENOENT" in answer["error"]["message"]
    assert adapter.run(_resolve("./a"))["events"] == [
        ["found", "!MODULE_NOT_FOUND"]]
