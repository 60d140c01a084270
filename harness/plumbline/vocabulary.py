# SPDX-License-Identifier: MIT
"""conformance/schema/vocabulary.yaml as `list` and `explain` show it."""

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


def read_vocabulary(path: Path) -> Vocabulary:
    """Read the file; CorpusError where it is not what the schema says."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        operations = {
            str(name): Operation(
                name=str(name),
                doc=" ".join(str(entry.get("doc", "")).split()),
                capability=entry.get("capability"),
                callback=bool(entry.get("callback")),
                id=entry.get("id"),
                args=entry.get("args") or {},
            )
            for name, entry in value["operations"].items()
        }
        return Vocabulary(
            operations,
            _texts(value.get("capabilities")),
            _texts(value.get("traits")),
            _texts(value.get("values")),
        )
    except OSError as error:
        raise CorpusError(
            f"cannot be read: {error.strerror}", place=str(path)
        ) from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise CorpusError(
            f"this is no vocabulary: {' '.join(str(error).split())}",
            place=str(path),
        ) from error
