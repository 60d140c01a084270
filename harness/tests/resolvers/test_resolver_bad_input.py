# SPDX-License-Identifier: MIT
"""Trees and requests that are broken, hostile or changing, on a real disk: the
error that Node gives, and never a crash or a wrong path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver_world import binary, node  # noqa: F401

from plumbline.places import find_places
from plumbline.registry import read_registry
from plumbline.resolvers import (
    Node,
    Question,
    Reference,
    compare,
    find_nodes,
)

_NODES = find_nodes(read_registry(find_places()))[0]


@pytest.fixture(params=range(max(len(_NODES), 1)),
                ids=[n.label for n in _NODES] or ["no-node"])
def every_node(request: pytest.FixtureRequest) -> Node:
    """Node 20, and Node 22."""
    if not _NODES:
        pytest.skip("no Node 20 or 22 is here")
    node: Node = _NODES[request.param]
    return node


@pytest.fixture()
def root() -> Iterator[Path]:
    """A directory that others may enter, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="bad-")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _hold(binary: Path, node: Node, root: Path, *asked: tuple[str, str],
          mode: str = "r") -> None:
    """The reference answers what is expected, and Node the same."""
    (root / "home").mkdir(exist_ok=True)
    questions = [Question(mode, str(root), specifier)
                 for specifier, _ in asked]
    result = compare(Reference(binary), node, questions, root / "home")
    assert result.unexplained == []
    ours = Reference(binary).ask(questions, node.major, root / "home")
    told = [str(answer.get("path") or answer.get("code")
                or answer.get("name")).replace(str(root), "")
            for answer in ours]
    assert told == [expected for _, expected in asked]


def test_broken_json_is_told_with_its_place(
    binary: Path, every_node: Node, root: Path
) -> None:
    """Node 20 says where; Node 22 says that."""
    _write(root, node_modules__p__package_dot_json='{"main": "a.js",}',
           node_modules__p__a_dot_js="")
    old = every_node.major == 20
    _hold(binary, every_node, root,
          ("p", "SyntaxError" if old else "ERR_INVALID_PACKAGE_CONFIG"))
    answer = Reference(binary).ask(
        [Question("r", str(root), "p")], every_node.major, root)[0]
    assert ("at position 16" in str(answer["message"])) is old


def test_exports_never_lead_outside(
    binary: Path, every_node: Node, root: Path
) -> None:
    """Neither by dots, nor by encoded ones, nor through node_modules."""
    exports = {"./a": "../out.js", "./b": "./x/../../out.js",
               "./c": "./%2e%2e/out.js", "./d": "./node_modules/q.js",
               "./e/*": "./lib/*"}
    _write(root, node_modules__p__package_dot_json=json.dumps(
        {"exports": exports}), node_modules__out_dot_js="",
        node_modules__p__node_modules__q_dot_js="")
    bad = "ERR_INVALID_PACKAGE_TARGET"
    _hold(binary, every_node, root, *((f"p/{k}", bad) for k in "abcd"),
          ("p/e/../../out.js", "ERR_INVALID_MODULE_SPECIFIER"))


def test_links_that_go_round_are_not_found(
    binary: Path, every_node: Node, root: Path
) -> None:
    """A circle of two, a link to itself; a folder in itself is fine."""
    _write(root, d__x_dot_js="")
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "c.js").symlink_to("c.js")
    (root / "d/self").symlink_to(".")
    (root / "node_modules").symlink_to("node_modules")
    _hold(binary, every_node, root,
          ("./a", "MODULE_NOT_FOUND"), ("./a/x", "MODULE_NOT_FOUND"),
          ("./c", "MODULE_NOT_FOUND"), ("p", "MODULE_NOT_FOUND"),
          ("./d/self/self/self/x", "/d/x.js"))


def test_forty_links_are_followed_and_no_more(
    binary: Path, every_node: Node, root: Path
) -> None:
    """As the kernel does."""
    _write(root, l0="")
    for number in range(1, 42):
        (root / f"l{number}").symlink_to(f"l{number - 1}")
    _hold(binary, every_node, root, ("./l40", "/l0"),
          ("./l41", "MODULE_NOT_FOUND"))


def test_names_and_paths_may_be_too_long(
    binary: Path, every_node: Node, root: Path
) -> None:
    """A name of 256 bytes, a path of 5,000."""
    (root / ("x" * 252 + ".js")).write_text("")
    long = "./" + "x" * 300
    _hold(binary, every_node, root,
          ("./" + "x" * 252, f"/{'x' * 252}.js"),
          (long, "MODULE_NOT_FOUND"), ("y" * 300, "MODULE_NOT_FOUND"),
          ("./" + "d/" * 2500, "MODULE_NOT_FOUND"))


def test_a_file_in_the_middle_of_a_path(
    binary: Path, every_node: Node, root: Path
) -> None:
    """ENOTDIR is "not found", for files as for packages."""
    _write(root, a_dot_js="", node_modules__p="", d__node_modules="")
    _hold(binary, every_node, root,
          ("./a.js/b", "MODULE_NOT_FOUND"), ("p/x", "MODULE_NOT_FOUND"),
          ("./a.js/", "MODULE_NOT_FOUND"))


def test_a_nul_byte_in_a_request(
    binary: Path, every_node: Node, root: Path
) -> None:
    """It ends the name that the kernel sees, and no path has it."""
    _write(root, a_dot_js="", d__index_dot_js="")
    _hold(binary, every_node, root,
          ("./a.js\0x", "ERR_INVALID_ARG_VALUE"),
          ("./d\0", "MODULE_NOT_FOUND"), ("p\0", "MODULE_NOT_FOUND"))


def test_names_that_are_no_utf8(binary: Path, root: Path) -> None:
    """They are bytes like others; what is printed is UTF-8."""
    name = os.fsencode(root) + b"/\xff\xfe"
    os.mkdir(name)
    open(name + b"/a.js", "wb").close()
    done = subprocess.run(
        [str(binary), "--batch", "--plain"], capture_output=True,
        input=name + b"\t./a\n" + os.fsencode(root) + b"\t./\xff\xfe/a\n"
        + os.fsencode(root) + b"\t./\xff/a\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    path = f"{root}/\ufffd\ufffd/a.js"
    assert [a.get("path") for a in answers] == [path, path, None]
    assert answers[2]["code"] == "MODULE_NOT_FOUND"


def test_ten_thousand_levels(
    binary: Path, node: Node, root: Path
) -> None:
    """From there, and to there. (Node 20 takes ten times as long as 22.)"""
    deep = str(root) + "/d" * 10000
    _write(root, node_modules__p_dot_js="")
    (root / "home").mkdir()
    questions = [Question("r", deep, "./x"), Question("r", deep, "p"),
                 Question("r", str(root), "./" + "d/" * 10000 + "x"),
                 Question("r", str(root), "p/" + "../" * 10000 + "x")]
    result = compare(Reference(binary), node, questions, root / "home")
    assert result.unexplained == []
    assert result.resolved == 1


def test_a_package_json_of_50_megabytes(
    binary: Path, node: Node, root: Path
) -> None:
    """Read, and its main found at its end."""
    row = '{"a":"}","b":[1,2,3],"c":"\\\\\\""},'
    _write(root, node_modules__p__m_dot_js="")
    (root / "node_modules/p/package.json").write_text(
        '{"x":[' + row * ((50 << 20) // len(row)) + '1],"main":"m"}')
    _hold(binary, node, root, ("p", "/node_modules/p/m.js"))


_AS_NOBODY = """
import json, sys
from pathlib import Path
from plumbline.resolvers import Node, Question, Reference, compare
binary, node, version, root = sys.argv[1:]
asked = [Question("r", root, s) for s in json.loads(sys.stdin.read())]
result = compare(Reference(Path(binary)), Node(Path(node), version), asked,
                 Path(root) / "home")
ours = Reference(Path(binary)).ask(asked, int(version.split(".")[0]),
                                   Path(root) / "home")
print(json.dumps([[d.question.specifier, dict(d.theirs), dict(d.ours)]
                  for d in result.unexplained]))
print(json.dumps([(a.get("path") or a.get("code")) for a in ours]))
"""


def test_what_may_not_be_read(
    binary: Path, every_node: Node, root: Path
) -> None:
    """Directories without the right to search or to list, files without the
    right to read, as somebody who is not root."""
    _write(root, closed__a_dot_js="", listed__a_dot_js="",
           unlisted__a_dot_js="", p__package_dot_json='{"main": "m.js"}',
           p__index_dot_js="", p__m_dot_js="",
           node_modules__q__index_dot_js="", x__node_modules__q_dot_js="")
    (root / "home").mkdir()
    (root / "p/package.json").chmod(0)
    for name, mode in (("closed", 0o000), ("listed", 0o444),
                       ("unlisted", 0o111), ("x/node_modules", 0o000)):
        (root / name).chmod(mode)
    asked = ["./closed/a", "./listed/a", "./unlisted/a", "./unlisted/b",
             "./p", "q"]
    user = 65534 if os.geteuid() == 0 else None
    harness = Path(__file__).parents[2]
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-c", _AS_NOBODY, str(binary),
             str(every_node.path), every_node.version, str(root)],
            input=json.dumps(asked), capture_output=True, text=True,
            user=user, cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(harness)})
    except OSError as error:
        pytest.skip(f"nobody may not run this: {error.strerror}")
    if "Permission denied" in done.stderr:
        pytest.skip("nobody may not read this checkout")
    assert done.returncode == 0, done.stderr
    differences, told = map(json.loads, done.stdout.splitlines())
    assert differences == []
    assert told[:4] == ["MODULE_NOT_FOUND", "MODULE_NOT_FOUND",
                        f"{root}/unlisted/a.js", "MODULE_NOT_FOUND"]


def test_a_tree_that_changes_while_it_is_read(
    binary: Path, root: Path
) -> None:
    """Every answer was true at some moment, or is an error; none is lost."""
    _write(root, d__a_dot_js="", node_modules__p__a_dot_js="",
           node_modules__p__b_dot_js="")
    package = root / "node_modules/p/package.json"
    stop = threading.Event()

    def change() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            package.write_text(
                ['{"main": "a.js"}', '{"exports": "./b.js"}', '{"ma'][turn % 3])
            here = root / ("e" if (root / "e").exists() else "d")
            here.rename(root / ("d" if here.name == "e" else "e"))
            (root / "link").unlink(missing_ok=True)
            (root / "link").symlink_to(["d", "e", "link"][turn % 3])

    thread = threading.Thread(target=change)
    thread.start()
    lines = "".join(f"{root}\t{name}\n" for name in
                    ("./d/a", "./e/a", "p", "./link/a", "p/b.js")).encode()
    allowed = {None, *(str(root / name) for name in (
        "d/a.js", "e/a.js", "node_modules/p/a.js", "node_modules/p/b.js"))}
    try:
        for turn in range(60):
            flags = ["--list-after", "1"] if turn % 2 else []
            done = subprocess.run([str(binary), "--batch", *flags],
                                  input=lines, capture_output=True)
            assert done.returncode in (0, 1), done.stderr
            answers = [json.loads(line) for line in done.stdout.splitlines()]
            assert len(answers) == 5
            assert {a.get("path") for a in answers} <= allowed
            assert all("path" in a or a["code"] for a in answers)
    finally:
        stop.set()
        thread.join()
