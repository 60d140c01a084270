# SPDX-License-Identifier: MIT
"""The modules operations of the JavaScript adapter, on every runtime here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import]

from js_driver import VOCABULARY, Adapter, Program


@cache
def operations() -> dict[str, dict[str, Any]]:
    loaded = yaml.safe_load((VOCABULARY / "modules.yaml").read_text())["operations"]
    return {name: known for name, known in loaded.items()
            if str(known.get("capability", "")).startswith("modules.")}


#: What a file is whose body is that of this number.
CALL = "plumb({}, exports, require, module, __filename, __dirname);\n"

#: The tree around every program; bodies are those of the program.
FILES = {
    "a.js": CALL.format(0),
    "b.js": CALL.format(1),
    "d/index.json": '{"k": 1}',
    "late/node_modules/p.js": "",
    "home/.node_modules/q.js": "",
    "prefix/lib/node/r.js": "",
    "meta.mjs": ("import * as i0 from './e.mjs';\n"
              "plumb(0, import.meta, {e: i0}, {});\nexport {};\n"),
    "e.mjs": "export default 'e';\nexport const x = 1;\n",
    "n.foo": "text",
}
BARE = "module.exports = 'text';"

Case = tuple[list[Program | dict[str, Any]], Program, list[Any]]


def req(specifier: str, label: str | None = None, **more: Any) -> Any:
    given = {"specifier": specifier, **more}
    return {"require": given | ({"log": label} if label else {})}


def show(fact: str, path: str | None = None) -> Any:
    return {"module": {"show": fact, "log": fact}
            | ({"path": path} if path else {})}


def exported(operation: str, **given: Any) -> Program:
    return [{f"exports.{operation}": given}]


def state(path: str = "b.js") -> Any:
    return {"cache.state": {"path": path, "log": "s"}}


def put(label: str) -> Any:
    return {"log": label}


#: Bodies, main, and what it logs; by the operation that is tried.
CASES: dict[str, Case] = {
    "resolve": ([], [
        {"resolve": {"specifier": "./d", "log": "d"}},
        {"resolve": {"specifier": "$dir/d/../a", "log": "a"}},
        {"resolve": {"specifier": "p", "from": "late/x.js", "log": "p"}},
        {"resolve": {"specifier": "p", "paths": ["late"], "log": "q"}},
        {"resolve": {"specifier": "./no", "log": "no"}},
        {"resolve": {"specifier": "fs", "log": "fs"}},
    ], [["d", "d/index.json"], ["a", "a.js"],
        ["p", "late/node_modules/p.js"], ["q", "late/node_modules/p.js"],
        ["no", "!MODULE_NOT_FOUND"], ["fs", "fs"]]),
    "resolve.folders": ([], [
        {"resolve.folders": {"specifier": "p", "from": "d/x.js", "log": "f"}},
        {"resolve.folders": {"specifier": "fs", "log": "n"}},
    ], [["f", "d/node_modules node_modules"], ["n", None]]),
    "is-core": ([], [
        {"is-core": {"specifier": "fs", "log": "y"}},
        {"is-core": {"specifier": "p", "log": "n"}},
    ], [["y", True], ["n", False]]),
    "search-path": ([], [
        {"search-path": ["late/node_modules"]},
        {"resolve": {"specifier": "p", "log": "p"}},
    ], [["p", "late/node_modules/p.js"]]),
    "search-path.home": ([], [
        {"search-path.home": "home"},
        {"resolve": {"specifier": "q", "log": "q"}},
    ], [["q", "home/.node_modules/q.js"]]),
    "search-path.prefix": ([], [
        {"search-path.prefix": "prefix"},
        {"resolve": {"specifier": "r", "log": "r"}},
    ], [["r", "prefix/lib/node/r.js"]]),
    "entry": ([[show("id"), show("main")]], [{"entry": {"path": "a.js"}}],
              [["id", "."], ["main", True]]),
    "meta": ([{"imports": ["e"], "do": [
        {"meta": {"show": "url", "log": "url"}},
        {"meta": {"show": "file", "log": "file"}},
    ]}], [{"import": {"specifier": "./meta.mjs?x", "id": "f"}}],
             [["url", "meta.mjs?x"], ["file", "meta.mjs"]]),
    "reload": ([], [{"reload": "a.js"}], []),
    "require": ([[put("runs"), *exported("set", name="x", value=1)]], [
        req("./a", "a"), req("./a.js", "b"), req("./d", "d"),
        req("./no", "no"),
    ], ["runs", ["a", '{"x":1}'], ["b", '{"x":1}'], ["d", '{"k":1}'],
        ["no", "!MODULE_NOT_FOUND"]]),
    "import": ([], [
        {"import": {"specifier": "./e.mjs", "log": "e", "id": "e"}},
        {"get": {"of": "e", "name": "x", "log": "x"}},
        {"import": {"specifier": "./no.mjs", "log": "no"}},
        {"import": {"specifier": "./e.mjs", "then": [put("then")]}},
        {"resolve": {"specifier": "./e.mjs", "via": "import", "log": "r"}},
        {"resolve": {"specifier": "./no.mjs", "via": "import", "log": "n"}},
    ], [["e", "e"], ["x", 1], ["no", "!ERR_MODULE_NOT_FOUND"], "then",
        ["r", "e.mjs"], ["n", "!ERR_MODULE_NOT_FOUND"]]),
    "get": ([], [req("./d", id="d"),
                 {"get": {"of": "d", "name": "k", "log": "k"}},
                 {"get": {"of": "d", "name": "l", "log": "l"}}],
            [["k", 1], ["l", "undefined"]]),
    "call": ([exported("function", name="f", then=[put("called")])],
             [req("./a", id="a"), {"call": {"of": "a", "name": "f"}}],
             ["called"]),
    "names": ([exported("set", name="z") + exported("set", name="y")],
              [req("./a", id="a"), {"names": {"of": "a", "log": "n"}}],
              [["n", "y z"]]),
    "same": ([], [req("./d", id="a"), req("./d/index", id="b"),
                  req("./n.foo", id="c"),
                  {"same": {"of": "a", "as": "b", "log": "ab"}},
                  {"same": {"of": "a", "as": "c", "log": "ac"}}],
             [["ab", True], ["ac", False]]),
    "error": ([], [
        req("no", id="e"),
        *[{"error": {"of": "e", "show": what, "log": what}}
          for what in ("code", "path")],
    ], [["code", "MODULE_NOT_FOUND"], ["path", None]]),
    "module": ([[req("./b"), show("children")],
                [show("file"), show("parent")]],
               [req("./a"), show("loaded", "a.js"), show("main", "a.js")],
               [["file", "b.js"], ["parent", "a.js"], ["children", "b.js"],
                ["loaded", True], ["main", False]]),
    "exports.set": ([exported("set", name="o", value={"y": [1]})],
                    [req("./a", "a")], [["a", '{"o":{"y":[1]}}']]),
    "exports.replace": ([[req("./d", id="d"), *exported("replace", of="d")]],
                        [req("./a", "a")], [["a", '{"k":1}']]),
    "exports.rebind": ([exported("rebind", value={"x": 1})],
                       [req("./a", "a")], [["a", "{}"]]),
    "exports.function": ([exported("function", then=[put("called")])],
                         [req("./a", "a", id="a"), {"call": {"of": "a"}}],
                         [["a", "function"], "called"]),
    "exports.getter": ([exported("getter", name="g", value=3,
                                 then=[put("read")])],
                       [req("./a", id="a"),
                        {"get": {"of": "a", "name": "g", "log": "g"}}],
                       ["read", ["g", 3]]),
    "module.throw": ([[{"module.throw": {"message": "oh"}}],
                      [{"module.throw": {"value": 5}}]],
                     [req("./a", "a"), req("./b", "b")],
                     [["a", "!oh"], ["b", "!5"]]),
    "module.load": ([[{"module.load": {"specifier": "./d", "log": "d"}}]],
                    [req("./a"), {"module.load": {
                        "specifier": "./d", "path": "a.js", "log": "e"}}],
                    [["d", '{"k":1}'], ["e", '{"k":1}']]),
    "cache.state": ([[state("a.js")]], [state("a.js"), req("./a"),
                                        state("a.js")],
                    [["s", "absent"], ["s", "loading"], ["s", "loaded"]]),
    "cache.files": ([[req("./d")]],
                    [req("./a"), {"cache.files": {"log": "f"}}],
                    [["f", "a.js d/index.json"]]),
    "cache.delete": ([[put("runs")]],
                     [req("./a"), {"cache.delete": "a.js"}, req("./a")],
                     ["runs", "runs"]),
    "cache.clear": ([[], [put("runs")]],
                    [req("./b"), {"cache.clear": {}}, req("./b")],
                    ["runs", "runs"]),
    "cache.put": ([], [{"cache.put": {"path": "b.js", "value": 7}},
                       req("./b", "b")], [["b", 7]]),
    "cache.exports": ([[]], [req("./a"), {"cache.exports": {
        "path": "a.js", "value": 7}}, req("./a", "a")], [["a", 7]]),
    "loader": ([], [{"loader": ".foo"}, req("./n", "n")], [["n", "text"]]),
    "tree.write": ([], [{"tree.write": {"path": "x/y.js", "text": BARE}},
                        req("./x/y", "y")], [["y", "text"]]),
    "tree.remove": ([], [{"tree.remove": "d"},
                         req("./d", "d")], [["d", "!MODULE_NOT_FOUND"]]),
    "tree.rename": ([], [{"tree.rename": {"path": "d", "to": "f"}},
                         req("./f", "f")], [["f", '{"k":1}']]),
    "tree.directory": ([], [
        {"tree.directory": "x/y"},
        {"tree.link": {"path": "x/y/index.json", "to": "../../d/index.json"}},
        {"resolve": {"specifier": "./x/y", "log": "y"}},
    ], [["y", "d/index.json"]]),
    "tree.link": ([], [
        {"tree.link": {"path": "l.json", "to": "none"}},
        {"tree.link": {"path": "l.json", "to": "d/index.json"}},
        {"resolve": {"specifier": "./l", "log": "l"}},
    ], [["l", "d/index.json"]]),
    "tree.hard-link": ([], [
        {"tree.hard-link": {"path": "l.json", "to": "d/index.json"}},
        {"resolve": {"specifier": "./l", "log": "l"}},
    ], [["l", "l.json"]]),
    "module.search": ([[{"module.search": ["late/node_modules"]},
                        {"resolve": {"specifier": "p", "log": "p"}}]],
                      [req("./a")], [["p", "late/node_modules/p.js"]]),
}

#: Bun ignores what is put in front of module.paths, and says of a module
#: that runs that it is loaded.
DIFFERENT: dict[tuple[str, str], list[Any]] = {
    ("bun", "module.search"): [["p", "!MODULE_NOT_FOUND"]],
    ("bun", "cache.state"): [["s", "absent"], ["s", "loaded"],
                             ["s", "loaded"]],
}


def run_in(
    adapter: Adapter, folder: Path, seq: int, case: Case
) -> dict[str, Any]:
    bodies, main, _ = case
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return adapter.ask({
        "cmd": "run", "seq": seq, "files": FILES, "dir": str(folder),
        "program": {"main": main, "bodies": bodies},
    })


def test_every_modules_operation_is_tried() -> None:
    """The table has each operation of the vocabulary's modules part."""
    assert set(CASES) == set(operations())


@pytest.mark.parametrize("name", CASES)
def test_modules_operation(
    adapter: Adapter, tmp_path: Path, name: str
) -> None:
    """The operation does what the vocabulary says, twice in one process."""
    capability = operations()[name]["capability"]
    offered = capability in adapter.start()["capabilities"]
    for seq in range(2):
        answer = run_in(adapter, tmp_path / str(seq), seq, CASES[name])
        if not offered:
            lacking = {name, "import"} if name == "meta" else {name}
            assert answer["unsupported"] in {f"operation `{o}`" for o in lacking}
            continue
        events = DIFFERENT.get((adapter.runtime.name, name), CASES[name][2])
        assert answer == {"seq": seq, "events": events, "evidence": {}}


def test_an_error_that_nobody_asks_for_goes_on(
    adapter: Adapter, tmp_path: Path
) -> None:
    """A require without log in a module ends its body as well."""
    case: Case = ([[req("./b"), put("never")],
                   [{"module.throw": {"message": "oh"}}]],
                  [req("./a", "a"), state("a.js")],
                  [["a", "!oh"], ["s", "absent"]])
    answer = run_in(adapter, tmp_path / "t", 1, case)
    assert answer["events"] == case[2]


def test_a_module_may_run_late(adapter: Adapter, tmp_path: Path) -> None:
    """A callback of a module's body still belongs to the module."""
    late = {"immediate": {"then": [show("file")]}}
    answer = run_in(adapter, tmp_path / "t", 1, ([[late]], [req("./a")], []))
    assert answer["events"] == [["file", "a.js"]]


def test_exports_stand_in_modules_only(
    adapter: Adapter, tmp_path: Path
) -> None:
    """Main exports nothing."""
    main = exported("set", name="x")
    answer = run_in(adapter, tmp_path / "t", 1, ([], main, []))
    assert "stands in no module" in answer["error"]["message"]


def test_nothing_of_a_program_is_left(
    adapter: Adapter, tmp_path: Path
) -> None:
    """A next program in the same place sees nothing of the last one's."""
    (folder := tmp_path / "t").mkdir()
    run = {"cmd": "run", "files": {}, "dir": str(folder)}
    for number in range(3):
        (folder / "x.js").write_text(f"module.exports = {number};")
        answer = adapter.ask(run | {"seq": 1, "program": {
            "main": [req("./x", "x"), {"loader": ".zip"}]}})
        assert answer["events"] == [["x", number]]
