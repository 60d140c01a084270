# SPDX-License-Identifier: MIT
"""Holds answers against each other; knows why some may differ.

Invariant: whatever differs is told: explained, with the explanation's name, or
not. An explanation speaks of a cause that is seen in the question or in the
tree, never of the answer being another one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.registry import version_key
from plumbline.resolvers._ask import Answer, Node, Question, Reference

__all__ = ["EXPLANATIONS", "Comparison", "Difference", "Explanation",
           "compare", "differing", "explain"]


@dataclass(frozen=True)
class Explanation:
    """A cause of differences: a name, a sentence, and what it applies to."""

    name: str
    text: str
    applies: Callable[[Node, Question, Answer, Answer], bool]


def _hidden_dots(node: Node, question: Question, theirs: Answer,
                 ours: Answer) -> bool:
    return question.mode == "i" and re.search(
        r"^/(.*/)?\.[^./][^/]*/(.*/)?\.\.?$", question.specifier) is not None


def _older_conditions(node: Node, question: Question, theirs: Answer,
                      ours: Answer) -> bool:
    """What our answer took is the target of a condition that came later."""
    since = (20, 19) if node.major == 20 else (22, 10)
    return (version_key(node.version)[0][:2] < since
            and "path" in ours and _names(str(ours["path"]), "module-sync"))


def _names(path: str, word: str) -> bool:
    """Whether the package.json that governs a file has a word."""
    for folder in Path(path).parents:
        try:
            text = (folder / "package.json").read_bytes()
        except OSError:
            continue
        return word.encode() in text
    return False


def _later_core(node: Node, question: Question, theirs: Answer,
                ours: Answer) -> bool:
    """One of the two has a core module of that name, the other has none."""
    core = [str(answer.get("path", "")) for answer in (theirs, ours)]
    name = question.specifier.removeprefix("node:")
    return not name.startswith(("/", ".")) and sum(
        path.removeprefix("node:") == name for path in core) == 1


EXPLANATIONS = (
    Explanation(
        "hidden-dots",
        "Node's URL parser keeps a dot segment at the end of an absolute path "
        "that has a name beginning with a dot; the URL standard, and the "
        "reference, remove it",
        _hidden_dots),
    Explanation(
        "module-sync",
        "the condition module-sync came with Node 20.19 and 22.10; the "
        "reference has it",
        _older_conditions),
    Explanation(
        "core-module",
        "a core module that this release has and the reference's list of that "
        "major version has not, or the other way round",
        _later_core),
)


def explain(node: Node, question: Question, theirs: Answer,
            ours: Answer) -> Explanation | None:
    """Why two answers may differ; None: they may not."""
    for explanation in EXPLANATIONS:
        if explanation.applies(node, question, theirs, ours):
            return explanation
    return None


def differing(question: Question, theirs: Answer, ours: Answer) -> str | None:
    """The first member that differs; None: nothing does."""
    for member in ("path", "url", "code"):
        if theirs.get(member) != ours.get(member):
            return member
    if theirs.get("code") is None and theirs.get("name") != ours.get("name"):
        return "name"
    for member in ("errorPath", "requestPath"):
        if theirs.get(member) != ours.get(member):
            return member
    said = theirs.get("message")
    if (said is not None or question.mode == "r") and \
            said != ours.get("message"):
        return "message"
    return None


@dataclass(frozen=True)
class Difference:
    """One question with two answers; `index` is its place in the list."""

    index: int
    question: Question
    what: str
    theirs: Answer
    ours: Answer
    explanation: Explanation | None


@dataclass(frozen=True)
class Comparison:
    """All questions, asked of one Node and of the reference."""

    node: Node
    asked: int
    resolved: int
    differences: Sequence[Difference] = field(default_factory=tuple)

    @property
    def unexplained(self) -> list[Difference]:
        return [d for d in self.differences if d.explanation is None]

    @property
    def explained(self) -> Counter[str]:
        """How many by the name of their explanation."""
        return Counter(d.explanation.name for d in self.differences
                       if d.explanation is not None)


def compare(reference: Reference, node: Node, questions: Sequence[Question],
            home: Path) -> Comparison:
    """Asks both, lists what differs."""
    theirs = node.ask(questions, home)
    ours = reference.ask(questions, node.major, home)
    differences = []
    for index, (question, them, us) in enumerate(
            zip(questions, theirs, ours, strict=True)):
        what = differing(question, them, us)
        if what is not None:
            differences.append(Difference(
                index, question, what, them, us,
                explain(node, question, them, us)))
    resolved = sum("path" in answer for answer in ours)
    return Comparison(node, len(questions), resolved, differences)
