# SPDX-License-Identifier: MIT
"""Random trees: the same by their seed, shrunk, and able to find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml  # type: ignore[import]

from resolver_world import binary, node, wrong  # noqa: F401

from plumbline.resolvers import (
    Node,
    RandomTrees,
    Reference,
    Tree,
    random_tree,
    shrink,
)
from plumbline.resolvers._tell import tell, write_case


def test_a_seed_is_a_tree() -> None:
    """And another seed another one."""
    assert random_tree(3) == random_tree(3)
    assert random_tree(3) != random_tree(4)


def test_what_the_difference_does_not_need_is_left_out() -> None:
    """Names, then members of a JSON text, then nothing more."""
    tree = Tree(
        files={"a.js": "text", "b.js": "", "package.json":
               '{"name": "p", "exports": {"./a": ["./x", null], "./b": 1}}'},
        links={"l": "a.js"}, folders=["d"])

    def differs(one: Tree) -> bool:
        return "null" in one.files.get("package.json", "") and "l" in one.links

    small = shrink(tree, differs)
    assert small.files == {"package.json": "null"}
    assert small.links == {"l": "a.js"}
    assert small.folders == []


def test_a_text_that_is_no_json_is_cut_by_characters() -> None:
    """As long as it shows the difference."""
    tree = Tree(files={"package.json": '{"a": [}],"b"'})
    small = shrink(tree, lambda one: "}" in one.files.get("package.json", ""))
    assert small.files == {"package.json": "}"}


def test_a_wrong_resolver_is_found_shrunk_and_written_as_a_case(
    node: Node, wrong: Callable[[str, str], Reference], tmp_path: Path
) -> None:
    """An extension is told for another one."""
    search = RandomTrees(wrong('.js"', '.cjs"'), [node], 1, 40, most=1)
    found = list(search.differences())
    assert len(found) == 1
    one = found[0]
    assert one.what == "path"
    assert str(one.theirs["path"]).endswith(".js")
    assert len(one.tree.files) + len(one.tree.links) <= 3
    assert any("differs" in line for line in tell(one))
    case = yaml.safe_load(
        write_case(one, tmp_path, "again").read_text())["cases"][0]
    found_path = str(one.theirs["path"]).removeprefix("<root>/")
    assert case["expect"] == [["found", found_path]]
    assert set(case["files"]) >= set(one.tree.files)


def test_a_search_that_finds_nothing_says_how_much_it_asked(
    node: Node, binary: Path
) -> None:
    """The right resolver, on a few trees."""
    search = RandomTrees(Reference(binary), [node], 7, 12, most=3)
    assert list(search.differences()) == []
    assert search.trees == 12
    assert search.asked > 600
