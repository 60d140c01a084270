# SPDX-License-Identifier: MIT
"""A compiled case's program as text, with the surroundings it is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plumbline.corpus import program_to_text

__all__ = ["program_text"]

_GIVEN = ("pool", "env", "files")


def program_text(case: Mapping[str, Any]) -> str:
    """The program in the notation of the cases; before it, as comments, the
    size of the pool, the environment and the files that it is given."""
    given = [
        f"# {key}: {json.dumps(case[key], ensure_ascii=False)}"
        for key in _GIVEN
        if case.get(key)
    ]
    return "\n".join([*given, program_to_text(case["program"])])
