# SPDX-License-Identifier: MIT
"""TAP version 13: a test point a case and implementation.

Source: testanything.org, TAP version 13. A known failure is a TODO, a case
that says nothing about the implementation a SKIP.
"""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.results import CaseResult, Results, show_event

__all__ = ["tap"]


def _text(text: str) -> str:
    """One line, without the mark that begins a directive."""
    return " ".join(text.split()).replace("#", "\\#")


def _point(number: int, label: str, case: CaseResult) -> list[str]:
    name = f"{number} - {_text(label)} {_text(case.id)}"
    if case.verdict == "pass" and not case.unexpected:
        return [f"ok {name}"]
    if not case.unexpected:
        reason = case.reason or case.detail or case.verdict
        if case.expected != ("pass",):
            return [f"not ok {name} # TODO {_text(reason)}"]
        return [f"ok {name} # SKIP {_text(reason)}"]
    lines = [f"not ok {name}", "  ---", f"  verdict: {case.verdict}",
             f"  rule: {case.rule}"]
    said = case.explanation.summary if case.explanation else case.detail
    if said:
        lines.append(f"  message: {_quoted(said)}")
    for trace in case.traces:
        if not trace.allowed:
            events = "  ".join(map(show_event, trace.events))
            lines.append(f"  trace: {_quoted(events)}")
            break
    return [*lines, "  ..."]


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def tap(all_results: Sequence[Results]) -> str:
    """The whole stream, its plan first."""
    points = [(r.label, c) for r in all_results for c in r.cases.values()]
    lines = ["TAP version 13", f"1..{len(points)}"]
    for number, (label, case) in enumerate(points, 1):
        lines += _point(number, label, case)
    return "\n".join(lines) + "\n"
