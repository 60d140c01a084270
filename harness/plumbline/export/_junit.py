# SPDX-License-Identifier: MIT
"""JUnit XML: a test suite an implementation, a test case a case.

Invariant: every character is one that XML 1.0 has, whatever an adapter wrote;
reports/schema/junit.xsd describes the result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from plumbline.results import CaseResult, Results, show_event

__all__ = ["junit"]

_NO_XML = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _what(case: CaseResult) -> tuple[str, str] | None:
    """The element of a case that is not simply passed, and its message."""
    said = case.verdict
    if case.explanation:
        said += f": {case.explanation.summary}"
    elif case.detail:
        said += f": {case.detail.strip()}"
    if case.unexpected:
        broken = case.verdict in ("error", "crash", "timeout", "leaked")
        if case.verdict == "pass":
            said = f"passes, but {' or '.join(case.expected)} is expected"
        return ("error" if broken else "failure"), said
    if case.verdict == "pass":
        return None
    if case.reason:
        said += f" (known: {case.reason})"
    return "skipped", said


def _case(case: CaseResult) -> list[str]:
    area, _, rest = case.id.partition("/")
    head = (f"    <testcase name={_attribute(rest)} "
            f"classname={_attribute(area)} "
            f'time="{case.duration_ms / 1000:.3f}"')
    found = _what(case)
    inner: list[str] = []
    if found is not None:
        element, said = found
        body = "\n".join(
            "trace: " + "  ".join(map(show_event, trace.events))
            for trace in case.traces if not trace.allowed
        ) if element != "skipped" else ""
        start = f"      <{element} message={_attribute(said)}"
        if element != "skipped":
            start += f" type={_attribute(case.verdict)}"
        inner.append(f"{start}>{escape(_clean(body))}</{element}>" if body
                     else f"{start}/>")
    if case.unexpected and case.stderr:
        inner.append("      <system-err>"
                     f"{escape(_clean(case.stderr))}</system-err>")
    if not inner:
        return [head + "/>"]
    return [head + ">", *inner, "    </testcase>"]


def _suite(results: Results) -> list[str]:
    whats = [_what(case) for case in results.cases.values()]
    count = {
        name: sum(w is not None and w[0] == name for w in whats)
        for name in ("failure", "error", "skipped")
    }
    started = results.header.started.removesuffix("Z")
    stamp = f" timestamp={_attribute(started)}" if started else ""
    lines = [
        f"  <testsuite name={_attribute(results.label)} "
        f'tests="{len(whats)}" failures="{count["failure"]}" '
        f'errors="{count["error"]}" skipped="{count["skipped"]}" '
        f'time="{results.footer.duration_ms / 1000:.3f}"{stamp}>'
    ]
    for case in results.cases.values():
        lines += _case(case)
    return [*lines, "  </testsuite>"]


def junit(all_results: Sequence[Results]) -> str:
    """The whole document."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for results in all_results:
        lines += _suite(results)
    return "\n".join([*lines, "</testsuites>"]) + "\n"
