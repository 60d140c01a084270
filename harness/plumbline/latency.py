# SPDX-License-Identifier: MIT
"""Who held the loop: from a profile to its longest uninterrupted holds.

A hold is a stretch of time in which one callback, and what is drained behind
it, is on the stack and the loop gets no turn. Plumbline's own profiles say
where a callback begins and ends. A sampling profiler does not: there a hold is
a run of samples with one and the same entry, the first frame that is not the
runtime's own; calls that follow each other without a sample in between count
as one.

Times are microseconds since the start of the profile.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from plumbline.cpuprofile import Node, Profile, Segment, Timer

__all__ = [
    "Culprit", "Hold", "Latency", "Lateness", "analyse", "culprit_of",
]

_IDLE = "(idle)"
_PROGRAM = "(program)"
_COLLECTOR = "(garbage collector)"
# Frames of the runtime itself: native ones without a place, node:timers,
# Deno's ext:core, Node 12's internal/timers.js and bare events.js.
_OWN = re.compile(r"(node|ext|bun|deno|native):|internal/|\[native|\w+\.js$|$")
# A gap of so many usual intervals is no sample that came late.
_GAP = 10
_BLAME = 0.25  # the part of its lateness for which a timer blames a hold
_SHORT = 3  # intervals that a stray (program) sample may take


@dataclass(frozen=True)
class Culprit:
    """A function, wherever it is in the tree."""

    name: str
    url: str
    line: int | None


@dataclass
class Hold:
    """One stretch; `self_times` is filled while it is being read."""

    entry: Node
    phase: str | None
    start: float
    end: float
    self_times: dict[int, float] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Lateness:
    """How late the timers of one name were."""

    culprit: Culprit
    fired: int
    median: float
    worst: float
    worst_at: float
    held_by: Hold | None  # what held the loop when the latest one was due


@dataclass(frozen=True)
class Latency:
    """What a profile says about its loop."""

    profile: Profile
    holds: Sequence[Hold]  # the longest first
    held: float
    waited: float
    timers: Sequence[Lateness]  # the latest first

    def hottest(self, hold: Hold) -> tuple[Node, float]:
        """The function with the most time of its own in a hold, and its
        part of the hold."""
        times: dict[Culprit, float] = defaultdict(float)
        nodes: dict[Culprit, Node] = {}
        for number, time in hold.self_times.items():
            node = self.profile.nodes[number]
            key = culprit_of(node)
            times[key] += time
            if key not in nodes or time > hold.self_times[nodes[key].id]:
                nodes[key] = node
        best = max(times, key=lambda key: times[key])
        return nodes[best], times[best] / (hold.duration or 1)

    def victims(self, hold: Hold) -> list[tuple[Culprit, float]]:
        """Timers that a hold made late, the latest first."""
        late: dict[Culprit, float] = {}
        for timer in self.profile.timers:
            if _common(timer, hold) > timer.late * _BLAME:
                key = culprit_of(self.profile.nodes[timer.node])
                late[key] = max(late.get(key, 0.0), timer.late)
        return sorted(late.items(), key=lambda pair: -pair[1])


def culprit_of(node: Node) -> Culprit:
    return Culprit(node.name, node.url, node.line)


def analyse(profile: Profile) -> Latency:
    """Find the holds of a profile and what they did to its timers."""
    segments, unseen = _seen(profile)
    holds = list(_holds(profile, segments))
    waited = unseen + sum(
        s.end - s.start for s in segments
        if profile.nodes[s.node].name == _IDLE)
    by_length = sorted(holds, key=lambda hold: -hold.duration)
    return Latency(
        profile=profile, holds=by_length,
        held=sum(hold.duration for hold in holds), waited=waited,
        timers=_lateness(profile, holds),
    )


# -- time without samples -----------------------------------------------------


def _seen(profile: Profile) -> tuple[Sequence[Segment], float]:
    """Cut what nobody looked at off the samples; gives how much that is.

    Bun takes no samples while it waits: its gaps are the waiting. Profilers
    that know (idle) or (program) have a sample for every time.
    """
    names = {node.name for node in profile.nodes.values()}
    lengths = [s.end - s.start for s in profile.segments[:-1]]
    if profile.ours or names & {_IDLE, _PROGRAM} or not lengths:
        return profile.segments, 0.0
    usual = median(lengths)
    cut = [
        s if s.end - s.start <= _GAP * usual
        else Segment(s.start, s.start + usual, s.node)
        for s in profile.segments
    ]
    before = sum(s.end - s.start for s in profile.segments)
    return cut, before - sum(s.end - s.start for s in cut)


# -- holds --------------------------------------------------------------------


Entry = tuple[Node, str | None]


def _entries(profile: Profile) -> dict[int, Entry | None]:
    """For every node the callback that it belongs to, and its phase; None:
    it belongs to none. A tree may be as deep as it is large, so a node asks
    its parent."""
    nodes = profile.nodes
    paths: dict[int, tuple[Node, ...]] = {}  # the frames that decide
    entries: dict[int, Entry | None] = {}
    for number in nodes:
        todo = []
        at: int | None = number
        while at is not None and at not in paths:
            todo.append(at)
            at = nodes[at].parent
        for at in reversed(todo):
            parent = nodes[at].parent
            above = paths[parent] if parent is not None else None
            paths[at] = _path(profile, nodes[at], above)
            entries[at] = _decide(profile, paths[at])
    return entries


def _path(profile: Profile, node: Node,
          above: tuple[Node, ...] | None) -> tuple[Node, ...]:
    """Of the frames from below the root down to a node, the first, and the
    one that is the entry as soon as it is there."""
    if above is None:
        return ()
    if len(above) == 2 or (
            above and not profile.ours and _OWN.match(node.url)):
        return above
    if not above and not profile.ours and not _OWN.match(node.url):
        return node, node
    return *above, node


def _decide(profile: Profile, path: tuple[Node, ...]) -> Entry | None:
    if len(path) == 2:
        return path[1], path[0].name if profile.ours else None
    if not path or profile.ours or path[0].name in (_IDLE, _PROGRAM):
        return None
    return path[0], None


def _holds(profile: Profile, segments: Sequence[Segment]) -> Iterator[Hold]:
    entries = _entries(profile)
    lengths = [s.end - s.start for s in segments]
    short = _SHORT * median(lengths) if lengths else 0.0
    hold: Hold | None = None
    stray: Segment | None = None  # a (program) that may be within a hold
    for segment in segments:
        entry = entries[segment.node]
        name = profile.nodes[segment.node].name
        if hold and name == _COLLECTOR and not stray and (
                segment.start <= hold.end):
            _extend(hold, segment)
            continue
        if hold and name == _PROGRAM and not profile.ours and not stray and (
                segment.end - segment.start <= short):
            stray = segment
            continue
        if hold and entry and entry[0] is hold.entry and (
                segment.start <= (stray or hold).end):
            if stray:
                _extend(hold, stray)
            _extend(hold, segment)
            stray = None
            continue
        if hold:
            yield hold
        stray = None
        hold = entry and Hold(entry[0], entry[1], segment.start, segment.end,
                              {segment.node: segment.end - segment.start})
    if hold:
        yield hold


def _extend(hold: Hold, segment: Segment) -> None:
    hold.end = segment.end
    hold.self_times[segment.node] = (
        hold.self_times.get(segment.node, 0.0) + segment.end - segment.start)


# -- timers -------------------------------------------------------------------


def _lateness(profile: Profile, holds: Sequence[Hold]) -> list[Lateness]:
    groups: dict[Culprit, list[Timer]] = defaultdict(list)
    for timer in profile.timers:
        groups[culprit_of(profile.nodes[timer.node])].append(timer)
    found = []
    for culprit, timers in groups.items():
        worst = max(timers, key=lambda timer: timer.late)
        found.append(Lateness(
            culprit=culprit, fired=len(timers),
            median=median(timer.late for timer in timers), worst=worst.late,
            worst_at=worst.fired, held_by=_held_by(worst, holds),
        ))
    return sorted(found, key=lambda lateness: -lateness.worst)


def _held_by(timer: Timer, holds: Sequence[Hold]) -> Hold | None:
    """What took most of the time between due and fired, if anything did."""
    best, most = None, timer.late * _BLAME
    for hold in holds:
        common = _common(timer, hold)
        if common > most:
            best, most = hold, common
    return best


def _common(timer: Timer, hold: Hold) -> float:
    """How much of a hold lies between due and fired; negative: none."""
    due = timer.fired - timer.late
    return min(hold.end, timer.fired) - max(hold.start, due)
