# SPDX-License-Identifier: MIT
"""Whether a case's expectations agree with what its program can do.

An expected label that is never logged is a typing error that would fail on
every implementation; a logged label that no expectation mentions is one that
hides. A label whose name begins with `never` is meant not to appear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.corpus._pattern import PatternFacts, has_choice
from plumbline.corpus._problems import Problems, did_you_mean
from plumbline.corpus._program import RUNNER_LABELS, Facts, LabelUse
from plumbline.corpus._yaml import Map

if TYPE_CHECKING:
    from plumbline.corpus._cases import Case

__all__ = ["check_agreement"]


def is_never(label: str) -> bool:
    """Whether a label says of itself that it must not appear."""
    own = label.rpartition(".")[2]  # behind the id of a child
    return own == "never" or own.startswith("never-")


def check_agreement(
    problems: Problems, raw: Map, case: Case, facts: Facts,
    patterns: list[PatternFacts],
) -> None:
    """Note where program and expectations contradict each other."""
    labels = dict(facts.labels)
    if case.isolation == "process":
        for label in RUNNER_LABELS:
            labels[label] = LabelUse(0, valued=True)
    before = problems.error_count()
    for pattern in patterns:
        _expected(problems, case, labels, pattern)
    if problems.error_count() == before:
        _unmentioned(problems, case, facts, patterns)
    loose = has_choice(case.expect) or any(
        has_choice(ir) for _, ir in case.by_trait)
    # Of several processes much is unordered, and each run is a few processes.
    if loose and case.runs == 1 and case.roles is None:
        problems.add(case.file, raw.line_at("expect"), "an expectation with "
                     "a choice, and the program runs once", "write `runs: 20` "
                     "or more (a litmus test), or the exact order",
                     kind="warning")


def _expected(
    problems: Problems, case: Case, labels: dict[str, LabelUse],
    pattern: PatternFacts,
) -> None:
    def check(label: str, line: int, *, valued: bool | None) -> None:
        use = labels.get(label)
        if use is None:
            mend = did_you_mean(label, labels) or "log it, or remove it here"
            if label in RUNNER_LABELS:
                mend = "only a case with `isolation: process` has it"
            problems.add(case.file, line, f"the label `{label}` is expected, "
                         "but the program cannot log it", mend)
        elif valued is True and not use.valued:
            problems.add(case.file, line, f"`{label}` is expected with a "
                         "value, but logged without one", f"write `{label}`; "
                         "a list within a sequence is [label, value]")
        elif valued is False and not use.bare:
            problems.add(case.file, line, f"`{label}` is expected without a "
                         "value, but logged with one",
                         f"write `[{label}, value]`")

    for label, line in pattern.bare.items():
        check(label, line, valued=False)
    for label, line in pattern.valued.items():
        check(label, line, valued=True)
    for label, line in pattern.same_as:
        check(label, line, valued=True)


def _unmentioned(
    problems: Problems, case: Case, facts: Facts, patterns: list[PatternFacts]
) -> None:
    mentioned: set[str] = set()
    for pattern in patterns:
        mentioned |= pattern.labels
    for label, use in facts.labels.items():
        own = label.rpartition(".")[2]
        if label not in mentioned and not is_never(label):
            problems.add(case.file, use.line, f"the label `{label}` is "
                         "logged, but no expectation mentions it",
                         f"expect it, or call it `never-{own}` if it must "
                         "not appear", kind="unfinished")
        elif label in mentioned and is_never(label):
            problems.add(case.file, use.line, f"the label `{label}` is "
                         "expected, though its name says never",
                         "take another name")
