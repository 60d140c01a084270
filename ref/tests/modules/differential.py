# SPDX-License-Identifier: MIT
"""Holds plumb-resolve against real Nodes on random trees.

Every tree is resolved by plumb-resolve and by each Node that is found; paths,
URLs, codes and messages must be the same, but for what `_EXPLAINED` names. A tree
that shows a difference is shrunk before it is told.

Invariant: a Node that is not there is skipped by name, and no Node at all makes
the whole a skip (exit 77), never a pass.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from trees import Question, Tree, random_tree, write_tree  # noqa: E402

Answer = dict[str, Any]
_DRIVER = Path(__file__).with_name("driver.mjs")


@dataclass(frozen=True)
class Node:
    """A Node binary and its major version."""

    path: str
    major: int


def _installed() -> list[str]:
    """`node` and `node22` of the path, and what the launcher installed."""
    runtimes = Path(__file__).resolve().parents[3] / ".runtimes"
    return ["node", "node22", *map(str, sorted(runtimes.glob("node-*/**/bin/node")))]


def _find_nodes(wanted: Sequence[str]) -> list[Node]:
    nodes: list[Node] = []
    for name in wanted:
        path = shutil.which(name)
        if path is None:
            print(f"# skip {name}: not found")
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        major = int(version.stdout.strip().lstrip("v").split(".")[0])
        if major not in (20, 22):
            print(f"# skip {name}: Node {major} has other rules")
        elif all(node.major != major for node in nodes):
            nodes.append(Node(path, major))
    return nodes


def _environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LD_LIBRARY_PATH")}
    return {**kept, "HOME": str(home), "NODE_NO_WARNINGS": "1", "LC_ALL": "C.UTF-8"}


def _ask_node(node: Node, questions: Sequence[Question], home: Path) -> list[Answer]:
    lines = "".join(
        f"{q.mode}\t{json.dumps(q.place)}\t{json.dumps(q.specifier)}\n" for q in questions)
    done = subprocess.run(
        [node.path, "--no-warnings", "--experimental-import-meta-resolve", str(_DRIVER)],
        input=lines.encode(), capture_output=True, check=True, env=_environment(home))
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def _ask_ours(
    binary: str, node: Node, questions: Sequence[Question], home: Path
) -> list[Answer]:
    answers: dict[int, Answer] = {}
    for mode in "ri":
        asked = [(i, q) for i, q in enumerate(questions) if q.mode == mode]
        lines = "".join(f"{q.place}\t{q.specifier}\n" for _, q in asked)
        flags = ["--import"] if mode == "i" else []
        done = subprocess.run(
            [binary, "--batch", "--plain", "--node", str(node.major), *flags],
            input=lines.encode("utf-8", "surrogatepass"), capture_output=True, env=_environment(home), check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"plumb-resolve: {done.returncode}: {done.stderr.decode()}")
        for (i, _), line in zip(asked, done.stdout.decode().splitlines(), strict=True):
            answers[i] = json.loads(line)
    return [answers[i] for i in range(len(questions))]


def _explained(question: Question, theirs: Answer, ours: Answer) -> str | None:
    """Why two answers may differ; None: they may not."""
    if question.mode == "i" and re.search(r"/\.[^./][^/]*/(.*/)?\.\.?(/|$)", question.specifier):
        return "Node's URL parser keeps dot segments behind a name that begins with a dot"
    return None


def _differs(question: Question, theirs: Answer, ours: Answer) -> str | None:
    """What differs, by name; None: nothing."""
    for member in ("path", "url", "code"):
        if theirs.get(member) != ours.get(member):
            return member
    if theirs.get("code") is None and theirs.get("name") != ours.get("name"):
        return "name"
    for member in ("errorPath", "requestPath"):
        if theirs.get(member) != ours.get(member):
            return member
    if question.mode == "r" and theirs.get("message") != ours.get("message"):
        return "message"
    return None


def _place(questions: Sequence[Question], root: Path) -> list[Question]:
    return [
        replace(q, place=str(root / q.place) if q.place else str(root),
                specifier=q.specifier.replace("<root>", str(root)))
        for q in questions
        if "\n" not in q.specifier]


def _differences(
    binary: str, node: Node, trees: dict[int, Tree], where: Path
) -> tuple[list[tuple[int, Question, str, Answer, Answer]], Counter[str], int]:
    """Resolves all questions of some trees: what differs, unexplained."""
    questions: list[Question] = []
    owners: list[tuple[int, Question]] = []
    for seed, tree in trees.items():
        root = where / f"t{seed}"
        write_tree(root, tree)
        placed = _place(tree.questions, root)
        kept = [q for q in tree.questions if "\n" not in q.specifier]
        questions += placed
        owners += [(seed, q) for q in kept]
    home = where / "home"
    home.mkdir(exist_ok=True)
    theirs = _ask_node(node, questions, home)
    ours = _ask_ours(binary, node, questions, home)
    found: list[tuple[int, Question, str, Answer, Answer]] = []
    explained: Counter[str] = Counter()
    for (seed, question), them, us in zip(owners, theirs, ours, strict=True):
        what = _differs(question, them, us)
        if what is None:
            continue
        why = _explained(question, them, us)
        if why is None:
            found.append((seed, question, what, them, us))
        else:
            explained[why] += 1
    return found, explained, len(questions)


def _still(binary: str, node: Node, tree: Tree, question: Question, what: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="pl-shrink-") as name:
        one = replace(tree, questions=[question])
        found, _, _ = _differences(binary, node, {0: one}, Path(name).resolve())
        return any(entry[2] == what for entry in found)


def _shrink(binary: str, node: Node, tree: Tree, question: Question, what: str) -> Tree:
    """Leaves out what the difference does not need."""
    changed = True
    while changed:
        changed = False
        for kind in ("files", "links"):
            for name in list(getattr(tree, kind)):
                fewer = {k: v for k, v in getattr(tree, kind).items() if k != name}
                smaller = (replace(tree, files=fewer) if kind == "files"
                           else replace(tree, links=fewer))
                if _still(binary, node, smaller, question, what):
                    tree, changed = smaller, True
        for name in list(tree.folders):
            smaller = replace(tree, folders=[f for f in tree.folders if f != name])
            if _still(binary, node, smaller, question, what):
                tree, changed = smaller, True
    return tree


def _report(binary: str, node: Node, trees: dict[int, Tree],
            found: list[tuple[int, Question, str, Answer, Answer]], most: int) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    shown = 0
    for seed, question, what, them, us in found:
        key = (what, f"{them.get('code')}/{us.get('code')}")
        seen[key] += 1
        if seen[key] > 1 or shown >= most:
            continue
        shown += 1
        tree = _shrink(binary, node, trees[seed], question, what)
        print(f"seed {seed}, Node {node.major}, {question}: {what} differs")
        print(f"  files {tree.files}\n  links {tree.links}\n  folders {tree.folders}")
        print(f"  Node: {them}\n  ours: {us}")
    for (what, codes), count in seen.items():
        print(f"# {count} x {what} ({codes})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", help="plumb-resolve")
    parser.add_argument("--node", action="append", default=[], help="a Node; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trees", type=int, default=150)
    parser.add_argument("--most", type=int, default=10, help="differences to shrink and show")
    options = parser.parse_args()
    nodes = _find_nodes(options.node or _installed())
    if not nodes:
        print("# skip all: no Node 20 or 22")
        return 77
    trees = {seed: random_tree(seed) for seed in range(options.seed, options.seed + options.trees)}
    bad = 0
    for node in nodes:
        with tempfile.TemporaryDirectory(prefix="pl-trees-") as name:
            found, explained, asked = _differences(
                options.binary, node, trees, Path(name).resolve())
        print(f"# Node {node.major}: {asked} questions, {len(found)} differences, "
              f"{sum(explained.values())} explained {dict(explained)}")
        _report(options.binary, node, trees, found, options.most)
        bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
