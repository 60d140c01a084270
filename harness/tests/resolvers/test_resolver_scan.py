# SPDX-License-Identifier: MIT
"""What the sources of a tree ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from resolver_world import binary, write  # noqa: F401

from plumbline.errors import UsageError
from plumbline.resolvers import Question, scan_tree


def test_pairs_are_told_once(
    binary: Path, write: Callable[..., Path]
) -> None:
    """Two files of a directory that ask for the same are one question."""
    root = write(
        a_dot_js="require('x'); require('./b'); // require('no')",
        b_dot_mjs="import y from 'y'; import('z'); require('x');",
        d__c_dot_cjs="require('x'); require('x' + 1); require(`x`);",
        d__e_dot_txt="require('text')")
    scan = scan_tree(binary, root)
    assert scan.files == 3
    assert scan.asked == 6
    assert set(scan.questions) == {
        Question("r", str(root), "x"), Question("r", str(root), "./b"),
        Question("i", str(root), "y"), Question("i", str(root), "z"),
        Question("r", str(root / "d"), "x")}


def test_links_are_not_followed_and_packages_are_counted(
    binary: Path, write: Callable[..., Path]
) -> None:
    """A file counts where it really is."""
    root = write(node_modules__p__package_dot_json="{}",
                 node_modules__p__a_dot_js="require('q')",
                 node_modules__p__lib__package_dot_json="{}")
    (root / "link.js").symlink_to("node_modules/p/a.js")
    (root / "linked").symlink_to("node_modules/p")
    scan = scan_tree(binary, root)
    assert [q.place for q in scan.questions] == [str(root / "node_modules/p")]
    assert scan.packages == 1


def test_what_fits_no_line_is_left_out(
    binary: Path, write: Callable[..., Path]
) -> None:
    """A tab in a specifier would be another question."""
    root = write(a_dot_js="require('a\tb'); require('c')")
    assert [q.specifier for q in scan_tree(binary, root).questions] == ["c"]


def test_no_directory_is_an_error(binary: Path, tmp_path: Path) -> None:
    """And not an empty tree."""
    with pytest.raises(UsageError, match="no such directory"):
        scan_tree(binary, tmp_path / "nope")
