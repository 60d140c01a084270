# SPDX-License-Identifier: MIT
"""The tree of a case: what its entries are lowered to, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.corpus import program_to_js

CALL = "plumb({}, exports, require, module, __filename, __dirname);\n"

REQUIRE = "program: [{require: {specifier: ./a, log: a}}]\nexpect: [[a, 1]]\n"


@pytest.fixture
def case(read: Any) -> Callable[[str], Any]:
    """The compiled case with these keys."""
    def one(body: str) -> Any:
        lines = "".join(f"  {line}\n" for line in body.splitlines())
        cases, problems = read(f"rule: LOOP-A-1\ncases:\n- id: x\n{lines}")
        assert [str(p) for p in problems.found] == []
        return cases[0]
    return one


@pytest.fixture
def tree(
    case: Callable[[str], Any]
) -> Callable[[str], tuple[Any, dict[str, str]]]:
    """The program and the files of a case with these `files`."""
    def read(text: str) -> tuple[Any, dict[str, str]]:
        record = case(f"files:\n{text}\n{REQUIRE}").record()
        return record["program"], record["files"]
    return read


def test_texts_stay_and_json_becomes_a_text(tree: Any) -> None:
    """Keys keep their order, letters are not escaped."""
    program, files = tree("  a.js: \"x\"\n  b.json: {json: {z: ä, a: [1]}}")
    assert files == {"a.js": "x", "b.json": '{"z": "ä", "a": [1]}'}
    assert list(program) == ["main"]


def test_a_module_becomes_a_body_and_a_call(tree: Any) -> None:
    """Bodies are numbered in the order of the files."""
    program, files = tree(
        "  a.js: {module: [{exports.replace: {value: 1}}]}\n"
        "  b.js: {before: \"#!x\\n\", module: []}")
    assert files == {"a.js": CALL.format(0), "b.js": "#!x\n" + CALL.format(1)}
    assert program["bodies"] == [[{"exports.replace": {"value": 1}}], []]


def test_an_es_module_has_imports_exports_and_stars(tree: Any) -> None:
    """Its imports make objects, its exports are set by name."""
    program, files = tree(
        "  a.js: x\n  m.mjs: {esm: {imports: {b: ./b.mjs}, stars: [./c.mjs], "
        "exports: [x], await: true, do: [{exports.set: {name: x, of: b}}]}}")
    assert program["bodies"] == [
        {"imports": ["b"], "do": [{"exports.set": {"name": "x", "of": "b"}}]}]
    assert files["m.mjs"] == (
        'import * as i0 from "./b.mjs";\nexport * from "./c.mjs";\nlet e0;\n'
        "export {e0 as x};\nawait plumb(0, import.meta, {\"b\": i0}, "
        "{\"x\": (v) => { e0 = v; }});\n")


def test_links_and_directories_become_operations(tree: Any) -> None:
    """They stand in front of main, in the order of the files."""
    program, files = tree(
        "  a.js: x\n  l: {link: a.js}\n  h: {hard-link: a.js}\n"
        "  d: {directory: {}}")
    assert files == {"a.js": "x"}
    assert program["main"][:3] == [
        {"tree.link": {"path": "l", "to": "a.js"}},
        {"tree.hard-link": {"path": "h", "to": "a.js"}},
        {"tree.directory": "d"}]


def test_what_a_program_writes_is_lowered_too(case: Any) -> None:
    """A module that is written later is one more body."""
    record = case(
        "files: {a.js: {module: [{tree.write: {path: b.js, module: "
        "[{log: b}]}}]}}\nprogram:\n- tree.write: {path: c.json, json: [1]}\n"
        "- require: {specifier: ./a}\nexpect: [b]\n").record()["program"]
    write = {"path": "b.js", "text": CALL.format(1)}
    assert record["bodies"] == [[{"tree.write": write}], [{"log": "b"}]]
    assert record["main"][0] == {"tree.write": {
        "path": "c.json", "text": "[1]"}}
    assert "function body1() {\n  log('b');\n}" in program_to_js(record)


def test_what_modules_need_is_needed(case: Any) -> None:
    """Bodies need the loader, links a tree, ES modules import."""
    needs = case("files: {a.js: {module: []}, b: {link: a.js}, c.mjs: "
                 "{esm: {}}}\nprogram: [{log: a}]\nexpect: [a]").needs
    assert set(needs) == {"modules.require", "modules.import", "modules.tree"}


# Title, the entries of `files` from line 5 on, what is told.
WRONG = [
    ("a number", "  a.js: 5", ["5: the file `a.js` must be text or a "
     "mapping, not 5; write `{json: ...}` for the text of a value"]),
    ("outside", "  ../a.js: x", ["5: `../a.js` leads out of the case's "
     "directory; write a relative path without `..`"]),
    ("unknown kind", "  a.js: {modul: []}", [
        "5: the file `a.js` is `modul`; did you mean `module`?"]),
    ("two kinds", "  a.js: {json: 1, link: b}", [
        "5: the file `a.js` is 2 things; known: `json`, `module`, "
        "`esm`, `link`, `hard-link`, `directory` or `before`"]),
    ("no body", "  a.js: {module: {log: x}}", [
        "5: the body of a module must be a list of operations, not a "
        "mapping; write `[{log: x}]`"]),
    ("text before json", "  a.js: {before: x, json: 1}", [
        "5: `before` is text in front of a module; write the whole file as "
        "text"]),
    ("unknown key of an ES module", "  a.mjs: {esm: {import: {}}}", [
        "5: unknown key `import`; did you mean `imports`?"]),
    ("export that is no name", "  a.mjs: {esm: {exports: [a-b]}}", [
        "5: `a-b` is no name of an export; write a plain identifier"]),
    ("unknown operation in a body", "  a.js: {module: [{exports.sett: {}}]}",
     ["5: unknown operation `exports.sett`; did you mean `exports.set`?"]),
]


@pytest.mark.parametrize(
    "files, told", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_entries(
    complaints: Callable[[str], list[str]], files: str, told: list[str]
) -> None:
    """Each mistake is one message, with its line."""
    text = f"rule: LOOP-A-1\ncases:\n- id: x\n  files:\n  {files}\n" \
        "  program: [{log: a}]\n  expect: [a]\n"
    assert complaints(text) == [f"x.yaml:{message}" for message in told]


def test_exports_in_main_are_refused(
    complaints: Callable[[str], list[str]]
) -> None:
    """Only a module exports."""
    text = "rule: LOOP-A-1\ncases:\n- id: x\n  program: [{exports.set: " \
        "{name: x}}, {log: a}]\n  expect: [a]\n"
    assert complaints(text) == [
        "x.yaml:4: `exports.set` stands in no module; it may stand in the "
        "body of a module only"]


def test_a_tree_that_changes_wants_a_folder_of_its_own(
    complaints: Callable[[str], list[str]]
) -> None:
    """The shared scratch directory is nobody's."""
    text = "rule: LOOP-A-1\ncases:\n- id: x\n  program: [{tree.remove: a}, " \
        "{log: a}]\n  expect: [a]\n"
    assert complaints(text) == [
        "x.yaml:3: the case changes its directory, and has none of its own; "
        "write a file under `files`"]
