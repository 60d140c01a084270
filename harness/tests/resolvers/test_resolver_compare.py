# SPDX-License-Identifier: MIT
"""What differs between two answers, and which differences are explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from resolver_world import binary, node, write, wrong  # noqa: F401

from plumbline.resolvers import Node, Question, Reference, compare
from plumbline.resolvers._compare import differing, explain

ASKED = Question("r", "/d", "p")


@pytest.mark.parametrize("theirs, ours, what", [
    ({"path": "/a"}, {"path": "/a"}, None),
    ({"path": "/a"}, {"path": "/b"}, "path"),
    ({"path": "/a"}, {"code": "MODULE_NOT_FOUND"}, "path"),
    ({"code": "A", "message": "m"}, {"code": "B", "message": "m"}, "code"),
    ({"code": "A", "message": "m"}, {"code": "A", "message": "n"}, "message"),
    ({"code": None, "name": "TypeError"}, {"name": "SyntaxError"}, "name"),
    ({"code": "A", "errorPath": "/x"}, {"code": "A"}, "errorPath"),
    ({"code": "A", "requestPath": "/x"}, {"code": "A"}, "requestPath"),
])
def test_the_first_member_that_differs(
    theirs: dict[str, object], ours: dict[str, object], what: str | None
) -> None:
    """Path, URL, code, class, and what a require's error carries."""
    assert differing(ASKED, theirs, ours) == what


def test_a_message_that_the_driver_has_not_is_not_compared() -> None:
    """Node's import() would say more than its import.meta.resolve()."""
    asked = Question("i", "/d", "p")
    assert differing(asked, {"code": "A"},
                     {"code": "A", "message": "n"}) is None
    assert differing(asked, {"code": "A", "message": "m"},
                     {"code": "A", "message": "n"}) == "message"


def _node(version: str) -> Node:
    return Node(Path("node"), version)


def test_hidden_dots_are_explained_for_imports_only() -> None:
    """A require has no URL."""
    for mode, name in (("i", "hidden-dots"), ("r", None)):
        found = explain(_node("22.1.0"), Question(mode, "/d", "/d/.h/x/.."),
                        {"path": "/d/.h/x/.."}, {"path": "/d/.h/"})
        assert (found and found.name) == name


@pytest.mark.parametrize("version, name", [
    ("20.9.0", "module-sync"), ("20.19.0", None),
    ("22.9.0", "module-sync"), ("22.10.0", None)])
def test_a_condition_that_came_later_is_explained(
    version: str, name: str | None, tmp_path: Path
) -> None:
    """Only where the package that was found has it, and not afterwards."""
    exports = {"module-sync": "./m.mjs", "default": "./a.js"}
    (tmp_path / "package.json").write_text(json.dumps({"exports": exports}))
    found = explain(_node(version), ASKED, {"path": f"{tmp_path}/a.js"},
                    {"path": f"{tmp_path}/m.mjs"})
    assert (found and found.name) == name


def test_another_release_has_other_core_modules() -> None:
    """One side has it, the other has not."""
    asked = Question("r", "/d", "node:new")
    found = explain(_node("22.30.0"), asked, {"path": "node:new"},
                    {"code": "MODULE_NOT_FOUND"})
    assert found is not None and found.name == "core-module"
    assert explain(_node("22.30.0"), asked, {"path": "/d/new.js"},
                   {"code": "MODULE_NOT_FOUND"}) is None


def test_a_wrong_path_is_found_and_unexplained(
    node: Node, wrong: Callable[[str, str], Reference],
    write: Callable[..., Path], tmp_path: Path
) -> None:
    """One of two questions is answered wrongly."""
    root = write(a_dot_js="", b__index_dot_js="")
    questions = [Question("r", str(root), "./a"),
                 Question("r", str(root), "./b")]
    result = compare(wrong("index.js", "main.js"), node, questions, tmp_path)
    assert [(d.index, d.what) for d in result.unexplained] == [(1, "path")]
    assert result.asked == result.resolved == 2


def test_nothing_differs_where_both_are_right(
    node: Node, binary: Path, write: Callable[..., Path], tmp_path: Path
) -> None:
    """Paths, codes, and both ways of asking."""
    root = write(a_dot_js="", node_modules__p__package_dot_json=json.dumps(
        {"exports": {"import": "./i.mjs", "default": "./d.js"}}),
        node_modules__p__d_dot_js="", node_modules__p__i_dot_mjs="")
    questions = [Question(mode, str(root), name) for mode in "ri"
                 for name in ("./a", "./a.js", "p", "p/x", "nope", "fs")]
    result = compare(Reference(binary), node, questions, tmp_path)
    assert result.differences == []
    assert result.resolved == 7
