# SPDX-License-Identifier: MIT
"""Appending files of measurements, and reading them back as tracks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import exp, log
from typing import Any

from plumbline.errors import MeasurementError
from plumbline.history._store import open_store
from plumbline.measure import Document, fingerprint
from plumbline.places import Places
from plumbline.stats import Segment, median, segments

__all__ = ["Point", "Track", "append", "export", "read_tracks"]

_LEAST_STEP = 0.01  # a change of less is no news


@dataclass(frozen=True)
class Point:
    """One measurement of a track."""

    measured: str
    revision: str
    nanoseconds: float
    samples: Sequence[float]


@dataclass(frozen=True)
class Track:
    """One benchmark over time, on one implementation and machine."""

    benchmark: str
    version: int
    implementation: str
    fingerprint: str
    machine: Mapping[str, str]
    points: Sequence[Point]

    @property
    def segments(self) -> list[Segment]:
        """Stretches of one level; levels are nanoseconds. Neighbours that
        hardly differ are one."""
        times = [log(p.nanoseconds) for p in self.points]
        merged: list[Segment] = []
        for one in segments(times):
            last = merged[-1] if merged else None
            if last and abs(one.level - last.level) < _LEAST_STEP:
                level = median(times[last.begin:one.end])
                merged[-1] = Segment(last.begin, one.end, level)
            else:
                merged.append(one)
        return [Segment(s.begin, s.end, exp(s.level)) for s in merged]


def _revision(places: Places) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(places.root), "describe", "--always",
             "--dirty", "--abbrev=12"], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def append(
    places: Places, documents: Sequence[Document], store: str | None = None,
    revision: str | None = None,
) -> int:
    """Append files that `plumbline bench` wrote; gives how many were new. A
    file that is there already is not appended twice."""
    added = 0
    with open_store(places, store) as out:
        known = {row[0] for row in out.read("SELECT id FROM runs")}
        for document in documents:
            if not document.machine:
                raise MeasurementError(
                    "this file does not say on which machine it was made",
                    place=str(document.path),
                    remedy="the history takes files of plumbline bench")
            run = _run(places, document, revision)
            if run["id"] in known:
                continue
            known.add(run["id"])
            out.write(
                "INSERT INTO runs VALUES (:id, :measured, :revision, :suite, "
                ":fingerprint, :machine, :noise, :command)", [run])
            out.write(
                "INSERT INTO points VALUES (:run, :benchmark, :version, "
                ":implementation, :nanoseconds, :samples, :counters)",
                _points(document, str(run["id"])))
            added += 1
    return added


def _run(
    places: Places, document: Document, revision: str | None
) -> dict[str, Any]:
    text = document.path.read_bytes()
    return {
        "id": sha256(text).hexdigest()[:16],
        "measured": str(document.context.get("date", "")),
        "revision": _revision(places) if revision is None else revision,
        "suite": str(document.context.get("suite_version", "")),
        "fingerprint": fingerprint(document.machine),
        "machine": json.dumps(dict(document.machine), sort_keys=True),
        "noise": json.dumps(dict(document.noise), sort_keys=True),
        "command": document.command,
    }


def _points(document: Document, run: str) -> list[dict[str, Any]]:
    return [
        {
            "run": run, "benchmark": s.name, "version": s.version or 0,
            "implementation": s.implementation,
            "nanoseconds": median(s.cpu), "samples": json.dumps(list(s.cpu)),
            "counters": json.dumps(dict(s.counters), sort_keys=True),
        }
        for s in document.series.values()
        if not s.error and s.cpu and min(s.cpu) > 0
    ]


def read_tracks(places: Places, store: str | None = None) -> list[Track]:
    """Everything, in the order in which it was measured."""
    with open_store(places, store) as source:
        rows = source.read(
            "SELECT benchmark, version, implementation, fingerprint, "
            "machine, measured, revision, nanoseconds, samples "
            "FROM points JOIN runs ON run = id ORDER BY measured, id")
    found: dict[tuple[Any, ...], list[Point]] = {}
    machines: dict[str, dict[str, str]] = {}
    for name, version, who, print_, machine, at, revision, ns, samples in rows:
        machines[print_] = json.loads(machine)
        found.setdefault((name, version, who, print_), []).append(
            Point(at, revision, ns, tuple(json.loads(samples))))
    return [
        Track(name, version, who, print_, machines[print_], tuple(points))
        for (name, version, who, print_), points in sorted(found.items())
    ]


def export(tracks: Sequence[Track]) -> dict[str, Any]:
    """The tracks as JSON, with their change points."""
    return {"format": 1, "tracks": [
        {**asdict(track),
         "changes": [
             {"at": late.begin, "revision": track.points[late.begin].revision,
              "before": early.level, "after": late.level}
             for early, late in zip(track.segments, track.segments[1:])]}
        for track in tracks]}
