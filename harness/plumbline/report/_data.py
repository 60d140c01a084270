# SPDX-License-Identifier: MIT
"""What the report's page knows: results and corpus as one compact object.

Keys are short because there is one object per cell. A passing cell whose
trace is the first implementation's trace of that case leaves it out; what else
is left out is in _pack.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.catalog import Case, Catalog
from plumbline.corpus import pattern_to_text, program_to_js
from plumbline.described import program_text
from plumbline.report._lanes import LANES, lanes_of
from plumbline.results import CaseResult, Results, Trace, show_event
from plumbline.summary import MARKS

__all__ = ["page_data"]


def page_data(
    catalog: Catalog,
    all_results: Sequence[Results],
    again: Mapping[str, str],
    kills: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Everything the page shows; `again` has the command per label that runs
    a case again, to which the case's id is appended, `kills` the mutants that
    a case is known to kill."""
    ids = _ids(catalog, all_results)
    rules = {
        (catalog.cases[i].rule if i in catalog.cases else _any(
            all_results, i).rule): None
        for i in ids
    }
    return {
        "suite": catalog.suite,
        "lanes": list(LANES),
        "marks": {k: list(v) for k, v in MARKS.items()},
        "implementations": [
            _implementation(results, again.get(results.label, ""))
            for results in all_results
        ],
        "rules": {name: _rule(catalog, name) for name in rules},
        "cases": [
            _case(catalog, all_results, i, kills.get(i, ()))
            for i in ids
        ],
    }


def _ids(catalog: Catalog, all_results: Sequence[Results]) -> list[str]:
    """The cases of any results file: in the corpus's order, rules together;
    then those that the corpus no longer has."""
    judged = {i for results in all_results for i in results.cases}
    known = [case for i, case in catalog.cases.items() if i in judged]
    rule_order = {name: n for n, name in enumerate(catalog.rules)}
    known.sort(key=lambda c: (c.area, rule_order.get(c.rule, 1 << 30)))
    gone = sorted(judged - set(catalog.cases))
    return [case.id for case in known] + gone


def _any(all_results: Sequence[Results], case_id: str) -> CaseResult:
    return next(r.cases[case_id] for r in all_results if case_id in r.cases)


def _implementation(results: Results, again: str) -> dict[str, Any]:
    head = results.header
    return {
        "label": results.label,
        "name": head.implementation.name,
        "version": head.implementation.version,
        "language": head.implementation.language,
        "homepage": head.implementation.homepage,
        "capabilities": list(head.capabilities),
        "traits": list(head.traits),
        "machine": " ".join(
            str(head.machine[key])
            for key in ("os", "kernel", "arch")
            if head.machine.get(key)
        ),
        "started": head.started,
        "seconds": round(results.footer.duration_ms / 1000, 2),
        "complete": results.complete,
        "again": again,
    }


def _rule(catalog: Catalog, name: str) -> dict[str, Any]:
    rule = catalog.rules.get(name)
    if rule is None:
        return {"level": "", "title": "", "text": "", "source": ""}
    return {
        "level": rule.level,
        "title": rule.title,
        "text": rule.text,
        "source": rule.source,
        "since": rule.since,
        "at": f"{rule.file}:{rule.line}",
    }


def _case(
    catalog: Catalog,
    all_results: Sequence[Results],
    case_id: str,
    kills: Sequence[str],
) -> dict[str, Any]:
    results = [r.cases.get(case_id) for r in all_results]
    first = next(r for r in results if r is not None)
    shared = next(
        (r.traces for r in results if r is not None and r.verdict == "pass"),
        (),
    )
    value: dict[str, Any] = {
        "id": case_id,
        "rule": first.rule,
        "level": first.level,
        "area": first.area,
        "traces": [_trace(t) for t in shared],
        "results": [r and _result(r, shared) for r in results],
    }
    case = catalog.cases.get(case_id)
    if case is not None:
        value.update(_described(case))
    if kills:
        value["kills"] = list(kills)
    return value


def _described(case: Case) -> dict[str, Any]:
    raw = case.raw
    return {
        "claim": case.claim,
        "needs": list(case.needs),
        "runs": case.runs,
        "isolation": raw.get("isolation", "shared"),
        "at": f"{case.file}:{case.line}",
        "program": program_text(raw),
        "javascript": program_to_js(raw["program"]),
        "expect": pattern_to_text(raw["expect"]),
        "byTrait": [
            [item["trait"], pattern_to_text(item["expect"])]
            for item in raw.get("by_trait") or []
        ],
        "disputed": raw.get("disputed"),
        "lanes": lanes_of(raw["program"]),
    }


def _trace(trace: Trace) -> list[Any]:
    return [[show_event(e) for e in trace.events], trace.count,
            int(trace.allowed)]


def _result(case: CaseResult, shared: Sequence[Trace]) -> dict[str, Any]:
    value: dict[str, Any] = {"v": case.verdict}
    if case.unexpected:
        value["u"] = 1
    if case.verdict != "pass" or tuple(case.traces) != tuple(shared):
        value["t"] = [_trace(trace) for trace in case.traces]
    if case.expected != ("pass",):
        value["x"] = list(case.expected)
    for key, item in (
        ("why", case.reason),
        ("more", case.more_traces),
        ("d", case.detail),
        ("s", case.stderr),
        ("ev", dict(case.evidence)),
    ):
        if item:
            value[key] = item
    if case.runs > 1:
        value["n"] = case.runs
    value["ms"] = round(case.duration_ms, 1)
    if case.explanation is not None:
        value["ex"] = {
            "text": case.explanation.summary,
            "at": case.explanation.at,
            "expected": list(case.explanation.expected),
        }
    return value
