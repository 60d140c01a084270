# SPDX-License-Identifier: MIT
"""The Markdown summary for a pull request or a job's page."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.results import CaseResult, Results
from plumbline.summary import Tally, rows

__all__ = ["escaped", "markdown"]

_SHOWN = 50  # unexpected cases in the page

_PARTS = (
    ("unexpected", "unexpected"), ("known", "known"), ("differs", "differs"),
    ("inconclusive", "inconclusive"), ("unsupported", "unsupported"),
    ("disputed", "disputed"),
)


def escaped(text: str) -> str:
    """Text that Markdown and HTML show as it is, in one line of a table."""
    for char in "&<>":
        text = text.replace(char, {"&": "&amp;", "<": "&lt;",
                                   ">": "&gt;"}[char])
    for char in "\\`*_[]|~#":
        text = text.replace(char, "\\" + char)
    return " ".join(text.split())


def _cell(tally: Tally) -> str:
    if not tally.counted and not tally.disputed:
        return "·"
    parts = [f"{getattr(tally, name)} {word}" for name, word in _PARTS
             if getattr(tally, name)]
    text = f"{tally.passed}/{tally.counted}"
    if tally.unexpected:
        text = f"**{text}**"
    return text + (f" ({', '.join(parts)})" if parts else "")


def _why(case: CaseResult) -> str:
    if case.verdict == "pass":
        return "passes, but " + " or ".join(case.expected) + " is expected"
    if case.explanation:
        return f"{case.verdict}: {case.explanation.summary}"
    detail = (case.detail or "").strip().split("\n", 1)[0]
    return f"{case.verdict}: {detail}" if detail else case.verdict


def markdown(all_results: Sequence[Results]) -> str:
    """Areas against implementations, then what is unexpected."""
    heads = [escaped(r.label) for r in all_results]
    lines = [
        f"| passed / selected | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
    ]
    lines += [
        f"| {escaped(row.name)} | {' | '.join(map(_cell, row.tallies))} |"
        for row in rows(all_results)
    ]
    found = [(r.label, c) for r in all_results for c in r.unexpected()]
    lines.append("")
    if not found:
        lines.append("Everything as expected.")
        return "\n".join(lines) + "\n"
    lines += [f"{len(found)} unexpected:", "",
              "| case | rule | implementation | what happened |",
              "|---|---|---|---|"]
    lines += [
        f"| {escaped(case.id)} | {case.rule} {case.level} | {escaped(label)} "
        f"| {escaped(_why(case))} |"
        for label, case in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        lines += ["", f"… and {len(found) - _SHOWN} more."]
    return "\n".join(lines) + "\n"
