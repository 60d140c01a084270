# SPDX-License-Identifier: MIT
"""The files of conformance/schema/vocabulary as `list` and `explain` show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import]

from plumbline.errors import CorpusError

__all__ = ["Operation", "Vocabulary", "read_vocabulary"]


@dataclass(frozen=True)
class Operation:
    """One operation of programs."""

    name: str
    doc: str
    capability: str | None
    callback: bool
    id: str | None
    args: Mapping[str, Any]

    @property
    def first_sentence(self) -> str:
        head, dot, _ = self.doc.partition(". ")
        return head + ("." if dot and not head.endswith(".") else "")


@dataclass(frozen=True)
class Vocabulary:
    """Operations, capabilities, traits and values, by name."""

    operations: Mapping[str, Operation]
    capabilities: Mapping[str, str]
    traits: Mapping[str, str]
    values: Mapping[str, str]


def _texts(table: Any) -> dict[str, str]:
    return {str(k): " ".join(str(v).split()) for k, v in (table or {}).items()}


def _operation(name: str, entry: Any) -> Operation:
    return Operation(
        name=name,
        doc=" ".join(str(entry.get("doc", "")).split()),
        capability=entry.get("capability"),
        callback=bool(entry.get("callback")),
        id=entry.get("id"),
        args=entry.get("args") or {},
    )


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read every file of `folder`; CorpusError where one is not what the
    schema says."""
    operations: dict[str, Operation] = {}
    texts: dict[str, dict[str, str]] = {
        "capabilities": {}, "traits": {}, "values": {}}
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise CorpusError("no vocabulary is there", place=str(folder))
    for path in paths:
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
            for name, entry in (value.get("operations") or {}).items():
                operations[str(name)] = _operation(str(name), entry)
            for section, table in texts.items():
                table.update(_texts(value.get(section)))
        except OSError as error:
            raise CorpusError(
                f"cannot be read: {error.strerror}", place=str(path)
            ) from error
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise CorpusError(
                f"this is no vocabulary: {' '.join(str(error).split())}",
                place=str(path),
            ) from error
    return Vocabulary(operations, **texts)
