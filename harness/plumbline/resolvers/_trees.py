# SPDX-License-Identifier: MIT
"""Random trees, by their seeds, on the reference and on Nodes.

Invariant: the same seed asks the same questions of the same tree.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from plumbline.resolvers._ask import Answer, Node, Question, Reference
from plumbline.resolvers._compare import compare
from plumbline.resolvers._random import Tree, random_tree, write_tree
from plumbline.resolvers._shrink import shrink

__all__ = ["RandomTrees", "TreeDifference"]

_AT_ONCE = 50  # trees; a Node starts once for so many
_PLACE = "<root>"


@dataclass(frozen=True)
class TreeDifference:
    """A tree, shrunk, and the one question that shows the difference. Paths
    of the answers are relative to `<root>`."""

    node: Node
    seed: int
    tree: Tree
    question: Question
    what: str
    theirs: Answer
    ours: Answer

    @property
    def key(self) -> tuple[str, str]:
        """Differences with the same key are taken for the same."""
        return self.what, f"{self.theirs.get('code')}/{self.ours.get('code')}"


@dataclass
class RandomTrees:
    """A search over the seeds `first`, `first + 1`, ..."""

    reference: Reference
    nodes: Sequence[Node]
    first: int
    count: int
    most: int  # differences to shrink
    deadline: float | None = None
    progress: Callable[[int, int | None], None] = lambda done, total: None
    trees: int = 0
    asked: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    repeated: Counter[tuple[str, str]] = field(default_factory=Counter)

    def differences(self) -> Iterator[TreeDifference]:
        """The unexplained ones, shrunk, each key once."""
        while self.trees < self.count and len(self.repeated) < self.most:
            if self.deadline is not None and time.monotonic() > self.deadline:
                return
            begin = self.first + self.trees
            many = min(_AT_ONCE, self.count - self.trees)
            batch = {s: random_tree(s) for s in range(begin, begin + many)}
            for node in self.nodes:
                for seed, question, what in self._batch(node, batch):
                    found = self._shrunk(node, seed, batch[seed], question,
                                         what)
                    if len(self.repeated) < self.most or \
                            found.key in self.repeated:
                        self.repeated[found.key] += 1
                        if self.repeated[found.key] == 1:
                            yield found
            self.trees += many
            self.progress(self.trees, self.count)

    def _batch(self, node: Node,
               batch: dict[int, Tree]) -> list[tuple[int, Question, str]]:
        with tempfile.TemporaryDirectory(prefix="plumbline-trees-") as name:
            where = Path(name).resolve()
            owners = [(seed, q) for seed, tree in batch.items()
                      for q in _printable(tree.questions)]
            placed: list[Question] = []
            for seed, tree in batch.items():
                root = where / f"t{seed}"
                write_tree(root, tree)
                placed += place(_printable(tree.questions), root)
            comparison = compare(self.reference, node, placed, _home(where))
            self.asked += comparison.asked
            self.explained += comparison.explained
            seen: dict[tuple[str, str], tuple[int, Question, str]] = {}
            for one in comparison.unexplained:
                seed, question = owners[one.index]
                seen.setdefault(
                    (one.what, f"{one.theirs.get('code')}"
                     f"/{one.ours.get('code')}"),
                    (seed, question, one.what))
            return list(seen.values())

    def _shrunk(self, node: Node, seed: int, tree: Tree, question: Question,
                what: str) -> TreeDifference:
        def differs(smaller: Tree) -> bool:
            return self.ask_one(node, smaller, question)[0] == what

        small = replace(shrink(tree, differs), questions=[question])
        _, theirs, ours = self.ask_one(node, small, question)
        return TreeDifference(node, seed, small, question, what, theirs, ours)

    def ask_one(self, node: Node, tree: Tree,
                question: Question) -> tuple[str | None, Answer, Answer]:
        """What differs for one question about a tree (None: nothing that is
        unexplained), and both answers where something does."""
        with tempfile.TemporaryDirectory(prefix="plumbline-tree-") as name:
            root = Path(name).resolve() / "t"
            write_tree(root, tree)
            root.mkdir(exist_ok=True)
            comparison = compare(self.reference, node,
                                 place([question], root),
                                 _home(root.parent))
            for one in comparison.unexplained:
                return (one.what, _relative(one.theirs, root),
                        _relative(one.ours, root))
        return None, {}, {}


def _home(where: Path) -> Path:
    home = where / "home"
    home.mkdir(exist_ok=True)
    return home


def _printable(questions: Sequence[Question]) -> list[Question]:
    """Those that fit on a line."""
    return [q for q in questions if "\n" not in q.specifier]


def place(questions: Sequence[Question], root: Path) -> list[Question]:
    """Questions about a tree that was written to `root`."""
    return [
        replace(q, place=str(root / q.place) if q.place else str(root),
                specifier=q.specifier.replace(_PLACE, str(root)))
        for q in questions]


def _relative(answer: Answer, root: Path) -> Answer:
    return {key: value.replace(str(root), _PLACE)
            if isinstance(value, str) else value
            for key, value in answer.items()}
