# SPDX-License-Identifier: MIT
"""GitHub workflow commands: an annotation where the case is written.

Source: GitHub documentation, "Workflow commands for GitHub Actions": `%`,
CR and LF are escaped in a message, and `:` and `,` too in a property.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plumbline.catalog import Case
from plumbline.results import CaseResult, Results

__all__ = ["github_annotations"]


def _data(text: str) -> str:
    return (text.replace("%", "%25").replace("\r", "%0D")
            .replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _message(label: str, case: CaseResult) -> str:
    if case.verdict == "pass":
        text = f"passes, but {' or '.join(case.expected)} is expected"
    else:
        text = case.verdict
        if case.explanation:
            text += f": {case.explanation.summary}"
        elif case.detail:
            text += f": {case.detail.strip()}"
    return f"{label}: {text}\nrule {case.rule} ({case.level})"


def github_annotations(
    all_results: Sequence[Results], cases: Mapping[str, Case]
) -> str:
    """A line per unexpected case; MUST is an error, the rest a warning."""
    lines: list[str] = []
    for results in all_results:
        for case in results.unexpected():
            known = cases.get(case.id)
            place = (f"file={_property(known.file)},line={known.line},"
                     if known else "")
            kind = "error" if case.level == "MUST" else "warning"
            lines.append(
                f"::{kind} {place}title={_property(case.id)}::"
                f"{_data(_message(results.label, case))}\n")
    return "".join(lines)
