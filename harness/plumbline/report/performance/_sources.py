# SPDX-License-Identifier: MIT
"""What the page about speed is made of, and where it is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.gate import read_gate
from plumbline.history import Track, read_tracks
from plumbline.leaks import read_leaks
from plumbline.measure import Document, read_document
from plumbline.places import Places

__all__ = ["Sources", "find_sources"]


@dataclass(frozen=True)
class Sources:
    """Each may be missing; `problems` names what could not be read."""

    gate: Mapping[str, Any] | None
    documents: Sequence[Document]
    tracks: Sequence[Track]
    problems: Sequence[str] = ()
    leaks: Mapping[str, Any] | None = None

    @property
    def empty(self) -> bool:
        return not (self.gate or self.documents or self.tracks or self.leaks)


def _by_age(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("*.json")
                   if not p.name.startswith((".", "ratios-"))),
                  key=lambda p: p.stat().st_mtime)


def find_sources(places: Places) -> Sources:
    """The newest gate of out/gate, the files of out/bench, the newest last,
    the leaks of out/leaks, and the history."""
    problems: list[str] = []
    documents: list[Document] = []
    for path in _by_age(places.out / "bench"):
        try:
            documents.append(read_document(path))
        except PlumblineError as error:
            problems.append(str(error))
    gate = None
    for path in _by_age(places.out / "gate")[-1:]:
        try:
            gate = read_gate(path)
        except PlumblineError as error:
            problems.append(str(error))
    tracks: list[Track] = []
    if (places.out / "history.sqlite").exists():
        try:
            tracks = read_tracks(places)
        except PlumblineError as error:
            problems.append(str(error))
    leaks = None
    for path in _by_age(places.out / "leaks")[-1:]:
        try:
            leaks = read_leaks(path)
        except PlumblineError as error:
            problems.append(str(error))
    return Sources(gate, documents, tracks, tuple(problems), leaks)
