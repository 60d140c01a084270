# SPDX-License-Identifier: MIT
"""`plumbline compare-resolvers` and `plumbline fuzz modules`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from resolver_world import binary, cli, node, write  # noqa: F401

from plumbline.resolvers import Node
from plumbline.resolvers.installed import packages

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def test_agreement_ends_with_0(
    cli: Cli, node: Node, write: Callable[..., Path], tmp_path: Path
) -> None:
    """What was scanned and asked is told; the pairs are written."""
    root = write(a_dot_js="require('./b'); require('nope'); import('fs')",
                 b_dot_js="")
    done = cli("compare-resolvers", root, "--node", node.path,
               "--pairs", "pairs.tsv")
    assert done.returncode == 0, done.stderr
    assert "2 distinct requires and 1 distinct imports" in done.stdout
    assert f"{node.label}: 3 asked, 2 resolved, 0 differ" in done.stdout
    assert (tmp_path / "pairs.tsv").read_text() == (
        f"{root}\t./b\n{root}\tnope\n")


def test_json_has_everything(
    cli: Cli, node: Node, write: Callable[..., Path]
) -> None:
    """Counts, and each Node with its differences."""
    root = write(a_dot_mjs="", _dot_h__x_dot_js="")
    (root / "a.mjs").write_text(f"import '{root}/.h/x/..'")
    done = cli("compare-resolvers", root, "--node", node.path, "--json")
    found = json.loads(done.stdout)
    assert (found["sources"], found["questions"]) == (2, 1)
    [one] = found["nodes"]
    assert one["unexplained"] == 0 == done.returncode
    assert one["differences"][0]["explanation"] == "hidden-dots"


def test_what_proves_nothing_ends_with_2(
    cli: Cli, node: Node, write: Callable[..., Path]
) -> None:
    """No tree, an empty tree, no Node."""
    root = write(a_dot_js="1")
    for words, text in (
            ((), "give one tree"),
            ((root / "nope",), "no such directory"),
            ((root,), "nothing in it asks for a module"),
            ((root, "--node", "/bin/false"), "no Node 20 or 22")):
        done = cli("compare-resolvers", *words)
        assert done.returncode == 2, words
        assert text in done.stderr


def test_fuzzing_modules_ends_with_0_when_nothing_is_found(
    cli: Cli, node: Node
) -> None:
    """A few trees; how much was asked is told."""
    done = cli("fuzz", "modules", "--examples", "5", "--seed", "90")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 trees" in done.stdout


def test_fuzzing_modules_refuses_what_is_about_programs(cli: Cli) -> None:
    """--layer has no meaning for trees."""
    done = cli("fuzz", "modules", "--layer", "runtime")
    assert done.returncode == 2
    assert "about programs" in done.stderr


def test_the_installed_tree_has_exact_versions() -> None:
    """Another day installs the same packages."""
    wanted = packages()
    assert len(wanted) >= 20
    for one in wanted:
        name, _, version = one.rpartition("@")
        assert name and version[0].isdigit(), one
