# SPDX-License-Identifier: MIT
"""Makes the page's data small; templates/dom.js makes it whole again.

What is as in most cases is left out, and a line that programs have in common
is written once. Invariant: nothing is lost. A report of 3,000 cases on 8
implementations is some 4 MB by it; compressed, it would be smaller still, but
could not be shown before it is unpacked, nor read by anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["pack"]

# What a case has when it does not say so.
DEFAULTS: Mapping[str, Any] = {
    "claim": "", "runs": 1, "isolation": "shared", "needs": [], "byTrait": [],
    "disputed": None, "traces": [], "lanes": {},
}

_TEXTS = ("program", "javascript")


def pack(data: dict[str, Any]) -> dict[str, Any]:
    """The data with its cases packed, and the lines that they refer to."""
    lines: dict[str, int] = {}
    cases = [_case(case, data["rules"], lines) for case in data["cases"]]
    return {**data, "cases": cases, "lines": list(lines)}


def _result(result: dict[str, Any] | None) -> object:
    """A plain pass is its milliseconds, what is not promised its reason."""
    if result is None:
        return None
    if result["v"] == "pass" and result.keys() == {"v", "ms"}:
        return result["ms"]
    if result == {"v": "unsupported", "t": [], "ms": 0.0,
                  "d": result.get("d")}:
        return result["d"]
    return result


def _case(
    case: Mapping[str, Any],
    rules: Mapping[str, Any],
    lines: dict[str, int],
) -> dict[str, Any]:
    packed = {key: value for key, value in case.items()
              if key not in DEFAULTS or value != DEFAULTS[key]}
    packed["results"] = [_result(result) for result in case["results"]]
    for key in _TEXTS:
        if key in packed:
            packed[key] = [lines.setdefault(line, len(lines))
                           for line in packed[key].split("\n")]
    area, topic = case["id"].split("/", 2)[:2]
    if packed["area"] == area:
        del packed["area"]
    if packed["level"] == rules[case["rule"]]["level"]:
        del packed["level"]
    file, _, line = packed.get("at", "").rpartition(":")
    if file == f"conformance/cases/{area}/{topic}.yaml":
        packed["at"] = int(line)
    return packed
