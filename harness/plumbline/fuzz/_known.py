# SPDX-License-Identifier: MIT
"""Differences that are known: which words an implementation is not given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import]

from plumbline.errors import UsageError
from plumbline.registry import matches_version

__all__ = ["Known", "parse_without", "read_known"]

FILE = Path(__file__).with_name("known.yaml")


@dataclass(frozen=True)
class Known:
    """Words that one implementation, or some of its versions, understands
    otherwise."""

    implementation: str
    versions: tuple[str, ...]
    words: tuple[str, ...]
    reason: str

    def concerns(self, name: str, version: str) -> bool:
        """Whether it is about that implementation."""
        return name == self.implementation and (
            not self.versions
            or any(matches_version(version, one) for one in self.versions)
        )


def read_known(path: Path = FILE) -> list[Known]:
    """The table of known differences."""
    table: list[Mapping[str, Any]] = yaml.safe_load(
        path.read_text(encoding="utf-8"))["known"]
    return [
        Known(
            str(entry["implementation"]),
            tuple(str(one) for one in entry.get("versions", ())),
            tuple(str(one) for one in entry["words"]),
            " ".join(str(entry["reason"]).split()),
        )
        for entry in table
    ]


def parse_without(options: Iterable[str]) -> list[Known]:
    """The entries of --without NAME=WORD,WORD or NAME@VERSION=WORD."""
    result = []
    for option in options:
        who, equals, words = option.partition("=")
        name, _, version = who.partition("@")
        if not equals or not name or not words:
            raise UsageError(
                f"'{option}' does not say what to leave out",
                remedy="write --without bun=refresh,unref or "
                "--without node@12=interval",
            )
        result.append(Known(
            name, (version.lstrip("v"),) if version else (),
            tuple(word.strip() for word in words.split(",")),
            "given on the command line",
        ))
    return result
