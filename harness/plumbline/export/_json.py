# SPDX-License-Identifier: MIT
"""The summary as JSON, for scripts: conformance/schema/summary.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from plumbline.results import CaseResult, Results
from plumbline.summary import rows, tally

__all__ = ["summary_json", "summary_value"]

FORMAT = 1


def _case(case: CaseResult) -> dict[str, Any]:
    return {
        "id": case.id,
        "rule": case.rule,
        "level": case.level,
        "verdict": case.verdict,
        "expected": list(case.expected),
        "summary": case.explanation.summary if case.explanation else None,
        "detail": case.detail,
    }


def summary_value(all_results: Sequence[Results]) -> dict[str, Any]:
    """The object that summary_json() writes."""
    table = rows(all_results)
    return {
        "format": FORMAT,
        "suite": all_results[0].header.suite if all_results else None,
        "implementations": [
            {
                "label": results.label,
                "name": results.header.implementation.name,
                "version": results.header.implementation.version,
                "complete": results.complete,
                "duration_ms": round(results.footer.duration_ms, 3),
                "total": asdict(tally(results.cases.values())),
                "areas": {
                    row.name: asdict(row.tallies[index])
                    for row in table if row.name != "total"
                },
                "unexpected": [_case(c) for c in results.unexpected()],
            }
            for index, results in enumerate(all_results)
        ],
    }


def summary_json(all_results: Sequence[Results]) -> str:
    return json.dumps(summary_value(all_results), ensure_ascii=False,
                      indent=2) + "\n"
