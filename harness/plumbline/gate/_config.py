# SPDX-License-Identifier: MIT
"""bench/gate.yaml: what the gate measures when nobody says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import]

from plumbline.errors import UsageError

__all__ = ["Config", "read_config"]


@dataclass(frozen=True)
class Config:
    """Benchmarks by lane, and the cases that come before any time."""

    time: Sequence[str]
    exact: Sequence[str]  # globs
    instructions: Sequence[str]
    cases: Mapping[str, Sequence[str]]  # prefix of a benchmark: globs

    def cases_of(self, names: Sequence[str]) -> list[str]:
        """The cases that benchmarks of these names stand on."""
        found: dict[str, None] = {}
        for name in names:
            prefixes = [p for p in self.cases if name.startswith(p)]
            for glob in self.cases[max(prefixes, key=len)] if prefixes else ():
                found[glob] = None
        return list(found)


def _names(value: object, key: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(one, str) for one in value
    ):
        raise UsageError(f"'{key}' must be a list of names", place=str(path))
    return tuple(value)


def read_config(path: Path) -> Config:
    """Read it; UsageError where it is wrong."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"cannot be used: {error}", place=str(path)
                         ) from error
    keys = {"time", "exact", "instructions", "cases"}
    if not isinstance(value, dict) or set(value) != keys:
        raise UsageError(f"has to have {', '.join(sorted(keys))}",
                         place=str(path))
    cases = value["cases"]
    if not isinstance(cases, dict):
        raise UsageError("'cases' must be a mapping", place=str(path))
    return Config(
        _names(value["time"], "time", path),
        _names(value["exact"], "exact", path),
        _names(value["instructions"], "instructions", path),
        {str(k): _names(v, f"cases: {k}", path) for k, v in cases.items()},
    )
