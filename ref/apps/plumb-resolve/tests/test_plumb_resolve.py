# SPDX-License-Identifier: MIT
"""plumb-resolve as its users see it: answers, explanations, batches, graphs.

Invariant: each test makes its own tree.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

_BINARY = os.environ["PLUMB_RESOLVE"]


def _run(*args: str, text: str = "", status: int = 0) -> str:
    done = subprocess.run(
        [_BINARY, *args], input=text, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]})
    assert done.returncode == status, done.stderr
    return done.stdout


def _write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


@pytest.fixture()
def tree(tmp_path: Path) -> Path:
    """A package with both kinds of entry, and a cycle."""
    _write(tmp_path, {
        "node_modules/p/package.json": json.dumps(
            {"name": "p", "type": "module",
             "exports": {"import": "./i.js", "zed": "./z.cjs", "require": "./r.cjs"}}),
        "node_modules/p/i.js": "", "node_modules/p/r.cjs": "", "node_modules/p/z.cjs": "",
        "a.js": "exports.one = 1;\nrequire('./b');\nexports.two = 2;\n",
        "b.js": "require('./a'); require('nope'); require('fs'); import('p');\n"})
    return tmp_path.resolve()


def test_an_answer_says_path_format_and_package(tree: Path) -> None:
    """One object, with what is known of the file."""
    assert json.loads(_run("--from", str(tree), "p")) == {
        "path": f"{tree}/node_modules/p/r.cjs", "format": "commonjs", "package": "p",
        "packageJson": f"{tree}/node_modules/p/package.json"}


def test_import_has_conditions_of_its_own_and_a_url(tree: Path) -> None:
    """--import and --conditions change what holds."""
    answer = json.loads(_run("--from", str(tree), "--import", "p"))
    assert answer["path"] == f"{tree}/node_modules/p/i.js"
    assert answer["url"] == f"file://{tree}/node_modules/p/i.js"
    assert answer["format"] == "module"
    answer = json.loads(_run("--from", str(tree), "--conditions", "zed,x", "p"))
    assert answer["path"] == f"{tree}/node_modules/p/z.cjs"


def test_a_failure_is_an_answer_and_status_1(tree: Path) -> None:
    """The code and the message are Node's."""
    answer = json.loads(_run("--from", str(tree), "p/x", status=1))
    assert answer["code"] == "ERR_PACKAGE_PATH_NOT_EXPORTED"
    assert answer["message"] == (
        f"Package subpath './x' is not defined by \"exports\" in "
        f"{tree}/node_modules/p/package.json")


def test_explaining_shows_every_probe_in_order(tree: Path) -> None:
    """What was looked at, why it did not do, and the answer last."""
    lines = _run("--from", str(tree / "sub"), "--explain", "q", status=1).splitlines()
    assert lines[1].split() == [f"{tree}/sub/node_modules", "no", "such", "directory"]
    probes = [line.split()[0] for line in lines if f"{tree}/node_modules/q" in line]
    assert probes == [f"{tree}/node_modules/q{end}" for end in ("", ".js", ".json", ".node")]
    assert json.loads(lines[-1])["code"] == "MODULE_NOT_FOUND"


def _steps(*args: str) -> list[tuple[str, str]]:
    """What is looked at, below the tree, and what came of it."""
    lines = _run("--explain", *args, status=1).splitlines()
    pairs = [line.strip().split("  ", 1) for line in lines if line[:1] == " "]
    return [(what, why.strip()) for what, why in pairs]


def test_explaining_follows_exports_to_the_target(tmp_path: Path) -> None:
    """Which key and which conditions, what is excluded or no target."""
    exports = {".": {"types": "./t", "import": "./i.mjs", "require": [
        "../out.js", "./r.js"]}, "./no/*": None}
    _write(tmp_path, {"node_modules/p/package.json": json.dumps(
        {"exports": exports})})
    folder = f"{tmp_path.resolve()}/node_modules/p"
    has = (folder, "its package.json has exports")
    assert _steps("--from", str(tmp_path), "p") == [
        has, (".", "exports key matches"),
        ("types", "condition does not hold"),
        ("import", "condition does not hold"),
        ("require", "condition holds"),
        ("../out.js", "target"), ("../out.js", "no valid target"),
        ("./r.js", "target"), (f"{folder}/r.js", "no such file")]
    assert _steps("--from", str(tmp_path), "p/no/x") == [
        has, ("./no/*", "exports key matches"), ("./no/*", "excluded: null")]
    assert _steps("--from", str(tmp_path), "p/x") == [
        has, ("./x", "no exports key matches")]


def test_explaining_tells_why_a_name_is_not_there(tmp_path: Path) -> None:
    """Links that lead nowhere or round, files on the way, long names."""
    (tmp_path / "gone.js").symlink_to("nope")
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "a.js").write_text("")
    reasons = {
        name: _steps("--from", str(tmp_path), f"./{name}")[0][1]
        for name in ("gone.js", "round", "a.js/x", "x" * 300)}
    assert list(reasons.values()) == [
        "a link that leads nowhere", "ELOOP", "ENOTDIR", "ENAMETOOLONG"]


def test_a_batch_answers_every_line(tree: Path) -> None:
    """Also those that are nonsense."""
    out = _run("--batch", text=f"{tree}\t./a\nnonsense\n{tree}\tnope\n{tree}\tfs", status=1)
    answers: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert answers[0]["path"] == f"{tree}/a.js"
    assert answers[1]["code"] is None
    assert answers[2]["code"] == "MODULE_NOT_FOUND"
    assert answers[3] == {"path": "fs", "format": "builtin"}


def test_a_graph_marks_cycles_and_what_is_exported_by_then(tree: Path) -> None:
    """The require that closes the cycle sees `one`, not yet `two`."""
    graph = json.loads(_run("--graph", str(tree / "a.js"), status=1))
    assert [Path(module["path"]).name for module in graph["modules"]] == ["a.js", "b.js", "i.js"]
    edges = graph["modules"][1]["edges"]
    assert edges[0]["cycle"] is True and edges[0]["exportsSoFar"] == ["one"]
    assert edges[1]["error"] == "MODULE_NOT_FOUND"
    assert edges[2]["path"] == "fs"
    assert edges[3]["to"] == 2
    assert graph["cycles"] == 1
    dot = _run("--graph", str(tree / "a.js"), "--dot", status=1)
    assert "m1 -> m0 [style=solid,color=red" in dot


def test_a_graph_of_modules_and_replaced_exports(tmp_path: Path) -> None:
    """An import has no partial exports; a new module.exports drops the old."""
    _write(tmp_path, {
        "m.mjs": "import './n.mjs'; import './c.cjs';",
        "n.mjs": "import './m.mjs'; export * from './m.mjs';",
        "c.cjs": "exports.old = 1; module.exports = {}; exports.x = 1;\n"
                 "module.exports.y = 2; require('./c.cjs'); exports.late = 1;"})
    graph = json.loads(_run("--graph", str(tmp_path / "m.mjs")))
    names = [Path(module["path"]).name for module in graph["modules"]]
    assert names == ["m.mjs", "n.mjs", "c.cjs"]
    assert graph["cycles"] == 3
    back = graph["modules"][1]["edges"][0]
    assert back["cycle"] and "exportsSoFar" not in back
    assert graph["modules"][2]["edges"][0]["exportsSoFar"] == ["x", "y"]


def test_a_graph_may_be_deep_and_have_what_cannot_be_read(
    tmp_path: Path
) -> None:
    """Eight thousand modules, each asking for the next; no stack is used up.
    An entry that is not there is status 2."""
    count = 8000
    for number in range(count):
        (tmp_path / f"m{number}.js").write_text(f"require('./m{number + 1}')")
    (tmp_path / f"m{count}.js").write_bytes(b"\xff\0require('fs')")
    graph = json.loads(_run("--graph", str(tmp_path / "m0.js")))
    assert len(graph["modules"]) == count + 1
    assert graph["modules"][-1]["edges"][0]["path"] == "fs"
    dot = _run("--graph", str(tmp_path / "m0.js"), "--dot").splitlines()
    assert (dot[0], dot[-1]) == ("digraph modules {", "}")
    assert sum(" -> " in line for line in dot) == count
    assert _run("--graph", str(tmp_path / "none.js"), status=2) == ""


def test_paths_of_the_environment_are_heeded(tree: Path) -> None:
    """NODE_PATH, relative to where the command runs, and HOME."""
    _write(tree, {"np/x.js": "", "home/.node_modules/y.js": ""})
    done = subprocess.run(
        [_BINARY, "--from", "/", "x", "y"], capture_output=True, text=True, check=True, cwd=tree,
        env={"NODE_PATH": "nope:np", "HOME": str(tree / "home")})
    paths = [json.loads(line)["path"] for line in done.stdout.splitlines()]
    assert paths == [f"{tree}/np/x.js", f"{tree}/home/.node_modules/y.js"]


def test_a_scan_tells_what_sources_ask_for(tree: Path) -> None:
    """Kind, file, specifier and line; also of what cannot be read."""
    paths = [f"{tree}/a.js", f"{tree}/nope.js", f"{tree}/b.js"]
    out = _run("--scan", text="".join(path + "\0" for path in paths))
    assert [json.loads(line) for line in out.splitlines()] == [
        ["require", f"{tree}/a.js", "./b", 2],
        ["unreadable", f"{tree}/nope.js", "ENOENT", 0],
        ["require", f"{tree}/b.js", "./a", 1],
        ["require", f"{tree}/b.js", "nope", 1],
        ["require", f"{tree}/b.js", "fs", 1],
        ["import()", f"{tree}/b.js", "p", 1]]


def test_timing_tells_every_pass_and_prints_no_answer(tree: Path) -> None:
    """Cold once; warm by place and by path, as often as asked; nonsense too."""
    done = subprocess.run(
        [_BINARY, "--batch", "--repeat", "2", "--list-after", "1"],
        input=f"{tree}\t./a\nnonsense\n{tree}\tnope\n", check=True,
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.stdout == ""
    told = [line.split(" ns")[0].rsplit(" ", 1)
            for line in done.stderr.splitlines()]
    assert [name for name, _ in told] == ["cold"] + ["warm", "by path"] * 2
    assert all(float(time) > 0 for _, time in told)


def test_what_is_no_question_is_status_2() -> None:
    """Usage goes to stderr."""
    assert _run(status=2) == ""
    assert _run("--node", "12", "x", status=2) == ""
    assert _run("--help").startswith("usage:")
