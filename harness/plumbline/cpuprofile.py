# SPDX-License-Identifier: MIT
"""Reads a .cpuprofile: what Node, Deno, Bun, Chrome or Plumbline wrote.

A profile is a call tree and a list of samples: from its time on, until the
next one, a sample's node is on top of the stack. A reader that trusts it
would blame the wrong callback, so everything that is used is checked, and
what is wrong is told with its place in the file.

Times are microseconds since the start of the profile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from plumbline.errors import ProfileError

__all__ = ["LARGEST", "Node", "Profile", "Segment", "Timer", "read_profile"]

LARGEST = 64 * 2**20  # bytes; the objects of the JSON take 15 times as much


@dataclass(frozen=True)
class Node:
    """A function at one place of the call tree."""

    id: int
    name: str
    url: str
    line: int | None  # from 1
    parent: int | None
    hot_line: int | None  # the line with the most samples
    kind: str | None  # what kind of callback; Plumbline's profiles only


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one node on top of the stack."""

    start: float
    end: float
    node: int


@dataclass(frozen=True)
class Timer:
    """A timer that fired; Plumbline's profiles only."""

    node: int
    fired: float
    late: float


@dataclass(frozen=True)
class Profile:
    """A call tree, its time, and what only Plumbline records."""

    path: str
    nodes: Mapping[int, Node]
    segments: Sequence[Segment]
    duration: float
    ours: bool
    dropped: int
    timers: Sequence[Timer]


class _Reader:
    """Takes values out of JSON, and knows where they were."""

    def __init__(self, path: str) -> None:
        self._path = path

    def fail(self, where: str, what: str) -> NoReturn:
        place = f"{self._path}: {where}" if where else self._path
        raise ProfileError(what, place=place, remedy=(
            "a .cpuprofile is what  node --cpu-prof  writes"))

    def item(self, value: Any, where: str, kind: type, name: str) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            self.fail(where, f"is {_kind(value)} and not {name}")
        return value

    def list(self, owner: Mapping[str, Any], key: str, at: str) -> list[Any]:
        found: list[Any] = self.member(owner, key, at, list, "a list")
        return found

    def member(self, owner: Mapping[str, Any], key: str, at: str, kind: type,
               name: str) -> Any:
        if key not in owner:
            self.fail(at, f"has no member '{key}'")
        where = f"{at}.{key}" if at else key
        return self.item(owner[key], where, kind, name)

    def number(self, value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(where, f"is {_kind(value)} and not a number")
        if abs(value) > 2**60:
            self.fail(where, "is too large for a time")
        return value


def _kind(value: Any) -> str:
    names: dict[type, str] = {
        dict: "an object", list: "a list", str: "a string", int: "a number",
        float: "a number", bool: "a truth value", type(None): "null",
    }
    return names[type(value)]


def read_profile(path: Path) -> Profile:
    """Read and check a profile."""
    reader = _Reader(str(path))
    data = _parse(path, _read(path))
    if not isinstance(data, dict):
        reader.fail("", f"is {_kind(data)} and not a profile")
    if "head" in data and "nodes" not in data:
        reader.fail("head", "is the tree of a profile from before 2016; "
                    "convert it by loading and saving it in DevTools")
    if "traceEvents" in data:
        reader.fail("traceEvents", "is a trace and not a profile")
    ours = data.get("plumb")
    kinds = {} if ours is None else _kinds(reader, ours)
    nodes = _nodes(reader, data, kinds)
    start = reader.number(_get(reader, data, "startTime"), "startTime")
    end = reader.number(_get(reader, data, "endTime"), "endTime")
    if end < start:
        reader.fail("endTime", "is before startTime")
    segments = list(_segments(reader, data, nodes, end - start))
    last = segments[-1].end if segments else 0.0
    return Profile(
        path=str(path), nodes=nodes, segments=segments,
        duration=max(end - start, last), ours=ours is not None,
        dropped=0 if ours is None else _dropped(reader, ours),
        timers=() if ours is None else _timers(reader, ours, nodes, start),
    )


# -- the file ---------------------------------------------------------------


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(LARGEST + 1)
        size = max(len(raw), path.stat().st_size)
    if size > LARGEST:
        raise ProfileError(
            f"has {size / 2**20:.0f} MiB; profiles of up to "
            f"{LARGEST // 2**20} MiB are read", place=str(path),
            remedy="record for a shorter time, or less often "
            "(node --cpu-prof-interval)")
    if not raw.strip():
        raise ProfileError("is empty", place=str(path),
                           remedy="a runtime that is killed writes no profile")
    return raw


def _parse(path: Path, raw: bytes) -> Any:
    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        text = raw.decode()
        return json.loads(text, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise ProfileError("is not UTF-8",
                           place=f"{path}: byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        # A string that is not closed is told with the place where it opens.
        ends = error.pos >= len(text.rstrip()) or (
            error.msg.startswith("Unterminated"))
        if ends:
            raise ProfileError(
                "is truncated: the JSON is not complete", place=place,
                remedy="it was copied or written only in part") from None
        raise ProfileError(f"is not JSON: {error.msg}", place=place) from None
    except RecursionError:
        raise ProfileError("is nested too deeply for a profile",
                           place=str(path)) from None
    except ValueError as error:
        raise ProfileError(f"is not JSON: {error}", place=str(path)) from None


def _get(reader: _Reader, data: Mapping[str, Any], key: str) -> Any:
    if key not in data:
        reader.fail("", f"has no member '{key}'")
    return data[key]


# -- the tree ---------------------------------------------------------------


def _nodes(reader: _Reader, data: Mapping[str, Any],
           kinds: Mapping[int, str]) -> dict[int, Node]:
    items = reader.list(data, "nodes", "")
    if not items:
        reader.fail("nodes", "is empty")
    parents = _parents(reader, items)
    nodes = {}
    for index, item in enumerate(items):
        at = f"nodes[{index}].callFrame"
        frame = reader.member(item, "callFrame", f"nodes[{index}]", dict,
                              "an object")
        url = reader.item(frame.get("url", ""), f"{at}.url", str, "a string")
        line = reader.number(frame.get("lineNumber", -1), f"{at}.lineNumber")
        name = reader.member(frame, "functionName", at, str, "a string")
        nodes[item["id"]] = Node(
            id=item["id"], name=name or "(anonymous)", url=url,
            line=int(line) + 1 if line >= 0 else None,
            parent=parents.get(item["id"]),
            hot_line=_hot_line(item), kind=kinds.get(item["id"]),
        )
    _check_no_cycle(reader, nodes)
    return nodes


def _parents(reader: _Reader, items: Sequence[Any]) -> dict[int, int]:
    ids = set()
    for index, item in enumerate(items):
        at = f"nodes[{index}]"
        reader.item(item, at, dict, "an object")
        number = reader.member(item, "id", at, int, "a whole number")
        if number in ids:
            reader.fail(f"{at}.id", f"is {number} a second time")
        ids.add(number)
    parents: dict[int, int] = {}
    for index, item in enumerate(items):
        children = item.get("children", [])
        at = f"nodes[{index}].children"
        reader.item(children, at, list, "a list")
        for place, child in enumerate(children):
            where = f"{at}[{place}]"
            reader.item(child, where, int, "a whole number")
            if child not in ids:
                reader.fail(where, f"is {child}, and there is no such node")
            if child in parents:
                reader.fail(where, f"is {child}, which has a parent already")
            parents[child] = item["id"]
    return parents or _named_parents(reader, items, ids)


def _named_parents(reader: _Reader, items: Sequence[Any],
                   ids: set[int]) -> dict[int, int]:
    """Profiles out of traces name the parent instead of the children."""
    parents = {}
    for index, item in enumerate(items):
        if "parent" not in item:
            continue
        where = f"nodes[{index}].parent"
        parent = reader.item(item["parent"], where, int, "a whole number")
        if parent not in ids:
            reader.fail(where, f"is {parent}, and there is no such node")
        parents[item["id"]] = parent
    return parents


def _check_no_cycle(reader: _Reader, nodes: Mapping[int, Node]) -> None:
    ends: set[int] = set()  # known to lead to a root
    for number in nodes:
        walked: set[int] = set()
        at: int | None = number
        while at is not None and at not in ends:
            if at in walked:
                reader.fail("nodes", f"node {at} is below itself")
            walked.add(at)
            at = nodes[at].parent
        ends |= walked


def _hot_line(item: Mapping[str, Any]) -> int | None:
    ticks = item.get("positionTicks")
    if not isinstance(ticks, list):
        return None
    lines: dict[int, int] = {}
    for tick in ticks:
        if isinstance(tick, dict) and isinstance(tick.get("line"), int) and (
                isinstance(tick.get("ticks"), int)):
            lines[tick["line"]] = lines.get(tick["line"], 0) + tick["ticks"]
    return max(lines, key=lambda line: lines[line]) if lines else None


# -- time -------------------------------------------------------------------


def _segments(reader: _Reader, data: Mapping[str, Any],
              nodes: Mapping[int, Node],
              duration: float) -> Iterator[Segment]:
    samples = reader.list(data, "samples", "")
    deltas = reader.list(data, "timeDeltas", "")
    if len(samples) != len(deltas):
        reader.fail("timeDeltas", f"has {len(deltas)} entries for "
                    f"{len(samples)} samples")
    timed = []
    time = 0.0
    for index, (sample, delta) in enumerate(zip(samples, deltas)):
        where = f"samples[{index}]"
        if reader.item(sample, where, int, "a whole number") not in nodes:
            reader.fail(where, f"is {sample}, and there is no such node")
        time += reader.number(delta, f"timeDeltas[{index}]")
        timed.append((time, sample))
    # V8 has samples whose delta is negative: they were taken earlier.
    timed.sort(key=lambda pair: pair[0])
    for index, (start, sample) in enumerate(timed):
        following = index + 1 < len(timed)
        end = timed[index + 1][0] if following else max(duration, start)
        yield Segment(start, end, sample)


# -- what only Plumbline writes ----------------------------------------------


def _kinds(reader: _Reader, ours: Any) -> dict[int, str]:
    reader.item(ours, "plumb", dict, "an object")
    if ours.get("format") != 1:
        reader.fail("plumb.format", "is not 1: another version wrote it")
    kinds = reader.member(ours, "kinds", "plumb", dict, "an object")
    found = {}
    for number, kind in kinds.items():
        where = f"plumb.kinds.{number}"
        if not number.isascii() or not number.isdigit():
            reader.fail(where, "is not the number of a node")
        found[int(number)] = reader.item(kind, where, str, "a string")
    return found


def _dropped(reader: _Reader, ours: Mapping[str, Any]) -> int:
    found: int = reader.member(ours, "dropped", "plumb", int, "a whole number")
    return found


def _timers(reader: _Reader, ours: Mapping[str, Any],
            nodes: Mapping[int, Node], start: float) -> list[Timer]:
    timers = []
    for index, item in enumerate(reader.list(ours, "timers", "plumb")):
        where = f"plumb.timers[{index}]"
        reader.item(item, where, list, "a list")
        if len(item) != 3:
            reader.fail(where, f"has {len(item)} entries and not three")
        node, fired, late = item
        reader.item(node, f"{where}[0]", int, "a whole number")
        if node not in nodes:
            reader.fail(f"{where}[0]", f"is {node}, and there is no such node")
        timers.append(Timer(node, reader.number(fired, f"{where}[1]") - start,
                            reader.number(late, f"{where}[2]")))
    return timers
