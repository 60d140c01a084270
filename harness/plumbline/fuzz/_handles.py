# SPDX-License-Identifier: MIT
"""Programs of the handle layer: timers, watchers, wake-ups, descriptors, jobs;
beside them, where an implementation has both, ticks and immediates.

Every program ends. All handles are made in main; most programs have a pump, an
idle handle that counts the turns and in its last one closes everything, itself
too; it also keeps the loop from sleeping, so that nothing depends on speed.
The others are `sleepy`: without idle handles, and a guard, a timer, closes
everything. Whatever is called more often than it has bodies gets an empty one.

What is closed for certain is not started and not written to, for that is an
error: where the pump or guard may have been (callbacks of closing, of jobs and
of queues, main behind a run), and of handles that the program itself closes.
Nor is a closed timer started `again`: what that answers is not laid down.

As in _runtime.py a program is `exact` (blocks, no jobs) or `racy` (jobs, no
blocks, and no timer that becomes due with time).
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from plumbline.fuzz._language import Language
from plumbline.fuzz._raw import Body, Op, Program, Sketch, bodies

__all__ = ["handle_programs"]

_HANDLES = ("check", "timer", "timer", "prepare", "idle", "async", "poll")
_MAKERS = ("close", "work", "immediate", "tick", "microtask")
_QUEUES = ("immediate", "tick", "microtask")
_OTHERS = (
    "stop", "start", "$active", "timer.start", "timer.again",
    "timer.set-repeat", "async.send", "async.send", "poll.write",
    "poll.write", "block", "ref", "unref", "$closing", "$hasref", "$alive",
    "cancel", "stop-loop", "update-time",
)
_TARGETS = {
    "stop": ("timer", "idle", "prepare", "check", "poll"),
    "start": ("idle", "prepare", "check", "poll"),
    "timer.start": ("timer",),
    "timer.again": ("timer",),
    "timer.set-repeat": ("timer",),
    "async.send": ("async",),
    "poll.write": ("poll",),
    "cancel": ("work",),
}

_AFTER = (4, 1, 0, 8)
_REPEAT = (0, 0, 4)
_FAR = 100000
_BLOCKS = (12, 12, 3)
_GUARD = 40
_MODES = ("nowait", "once", "default")

_MOST_JOBS = 3
_MOST_BLOCKS = 2
_MOST_QUEUED = 6
_MOST_TURNS = 4


@dataclass(frozen=True)
class Plan:
    """A sketch of a whole program."""

    racy: bool
    sleepy: bool
    timers: bool  # where timers and run modes exclude each other
    handles: Body
    main: Body
    turns: tuple[Body, ...]
    modes: tuple[int, ...]


@dataclass(frozen=True)
class _Handle:
    """A handle of the program, or a job."""

    kind: str
    id: str
    closable: bool = False


@dataclass(frozen=True)
class _Place:
    """Where a body stands: in which kind's callback, and whether handles may
    have been closed by the pump."""

    kind: str
    late: bool


class _Writer:
    """Makes one program from a plan."""

    def __init__(self, language: Language, plan: Plan) -> None:
        both = language.has("timers-and-modes")
        self.plan = plan
        self.sleepy = plan.sleepy and language.has("timer")
        timers = both or plan.timers or self.sleepy
        gone = [] if both else (
            ["run", "unref", "stop-loop"] if timers else
            ["timer", "timer.start", "timer.again", "timer.set-repeat"])
        gone += ["block"] if plan.racy else ["work", "cancel"]
        gone += ["idle"] if self.sleepy else []
        self.language = language.without(gone)
        self.handles: list[_Handle] = []
        self.jobs = 0
        self.blocks = 0
        self.queued = 0
        self.labels = 0

    def write(self) -> Program:
        """The whole program."""
        sketches = [one for one in self.plan.handles
                    if self.language.has(one.word)]
        for index, one in enumerate(sketches):
            self.handles.append(_Handle(
                one.word, f"{one.word}-{index + 1}", one.number % 2 == 1))
        made: Program = []
        for handle, one in zip(self.handles, sketches):
            made.append(self.handle(handle, one))
        closer = self.guard() if self.sleepy else self.pump()
        where = len(made) if self.plan.racy else 0
        made.insert(where, closer)
        main = self.body(self.plan.main, [], _Place("main", False))
        return made + main + self.runs()

    # -- handles -----------------------------------------------------------

    def handle(self, handle: _Handle, sketch: Sketch) -> Op:
        place = _Place(handle.kind, False)
        times = self.times(sketch.number) if handle.kind == "timer" else {}
        argument: dict[str, object] = {"id": handle.id, **times}
        each: list[Program] = []
        inner = sketch.bodies or ((),)
        for index, body in enumerate(inner):
            label = handle.id + ("abc"[index] if len(inner) > 1 else "")
            each.append([{"log": label}, *self.body(body, [], place)])
        argument["each"] = [*each, []]
        return {handle.kind: argument}

    def times(self, number: int) -> dict[str, object]:
        after = _AFTER[number % len(_AFTER)]
        repeat = _REPEAT[number // 4 % len(_REPEAT)]
        if self.plan.racy:
            # Due at once, or never.
            return {"after": 0 if after == 0 else _FAR}
        return {"after": after, "repeat": repeat} if repeat else {
            "after": after}

    def closers(self, own: str) -> Program:
        return [{"close": {"of": one}}
                for one in [*(h.id for h in self.handles), own]]

    def pump(self) -> Op:
        turns = self.plan.turns[:_MOST_TURNS] or ((),)
        each: list[Program] = [
            [{"log": f"turn-{index + 1}"},
             *self.body(body, [], _Place("idle", False))]
            for index, body in enumerate(turns)
        ]
        each.append([{"log": "end"}, *self.closers("pump")])
        return {"idle": {"id": "pump", "each": each}}

    def guard(self) -> Op:
        then = [{"log": "end"}, *self.closers("guard")]
        return {"timer": {"id": "guard", "after": _GUARD, "then": then}}

    def runs(self) -> Program:
        """Runs of the loop, and what main does behind them."""
        if not self.plan.modes or not self.language.has("run"):
            return []
        result: Program = []
        for mode in self.plan.modes:
            result.append({"run": {"mode": _MODES[mode],
                                   "log": self.label("run")}})
        return [*result, {"run": {"mode": "default", "log": "last-run"}}]

    # -- bodies ------------------------------------------------------------

    def body(
        self, body: Body, jobs: list[_Handle], place: _Place
    ) -> Program:
        result: Program = []
        jobs = list(jobs)
        for sketch in body:
            if not self.language.has(sketch.word):
                continue
            if sketch.word == "work":
                result += self.work(sketch, jobs)
            elif sketch.word == "close":
                result += self.close(sketch, jobs)
            elif sketch.word in _QUEUES:
                result += self.queue(sketch, jobs)
            else:
                result += self.other(sketch, jobs, place)
        return result

    def label(self, word: str) -> str:
        self.labels += 1
        return f"{word}-{self.labels}"

    def work(self, sketch: Sketch, jobs: list[_Handle]) -> Program:
        if self.jobs >= _MOST_JOBS:
            return []
        self.jobs += 1
        job = _Handle("work", f"work-{self.jobs}")
        inner = sketch.bodies[0] if sketch.bodies else ()
        then = self.body(inner, jobs, _Place("work", True))
        jobs.append(job)
        return [{"work": {"id": job.id, "then": [
            {"log": [job.id, "$result"]}, *then]}}]

    def close(self, sketch: Sketch, jobs: list[_Handle]) -> Program:
        fitting = [one for one in self.handles if one.closable]
        if not fitting:
            return []
        handle = fitting[sketch.number % len(fitting)]
        label = self.label("closed")
        inner = sketch.bodies[0] if sketch.bodies else ()
        then = self.body(inner, jobs, _Place("close", True))
        return [{"close": {"of": handle.id, "log": self.label("close"),
                           "then": [{"log": label}, *then]}}]

    def queue(self, sketch: Sketch, jobs: list[_Handle]) -> Program:
        """A callback in a queue, which may come behind the pump's end."""
        if self.queued >= _MOST_QUEUED:
            return []
        self.queued += 1
        label = self.label(sketch.word)
        inner = sketch.bodies[0] if sketch.bodies else ()
        then = self.body(inner, jobs, _Place(sketch.word, True))
        return [{sketch.word: {"then": [{"log": label}, *then]}}]

    def other(
        self, sketch: Sketch, jobs: list[_Handle], place: _Place
    ) -> Program:
        word, number = sketch.word, sketch.number
        if word == "block":
            if self.blocks >= _MOST_BLOCKS:
                return []
            self.blocks += 1
            return [{"block": _BLOCKS[number % len(_BLOCKS)]}]
        if word in ("stop-loop", "update-time"):
            return [{word: {}}]
        if word == "$alive":
            return [{"log": [self.label("alive"), "$alive"]}]
        strict = word in ("start", "poll.write", "timer.again")
        if strict and place.late:
            return []
        kinds = _TARGETS.get(word)
        fitting = [
            one for one in [*self.handles, *jobs]
            if (one.kind in kinds if kinds else one.kind != "work")
            and not (strict and one.closable)
        ]
        if not fitting:
            return []
        return self.use(word, fitting[number % len(fitting)].id, number,
                        place)

    def use(
        self, word: str, id: str, number: int, place: _Place
    ) -> Program:
        """An operation on the object of that id."""
        if word.startswith("$"):
            return [{"log": [self.label(word[1:]), f"{word}:{id}"]}]
        if word == "timer.start":
            times = self.times(number)
            if place.kind == "timer" and times["after"] == 0 and (
                not self.language.has("zero-in-timer")
            ):
                times["after"] = 1
            start: dict[str, object] = dict(times)
            start |= {"of": id, "log": self.label("start")}
            return [{word: start}]
        if word == "timer.again":
            return [{word: {"of": id, "log": self.label("again")}}]
        if word == "timer.set-repeat":
            repeat = 0 if self.plan.racy else _REPEAT[number % len(_REPEAT)]
            return [{word: {"of": id, "repeat": repeat}}]
        if word == "async.send":
            return [{word: {"to": id, "times": 1 + number % 2}}]
        if word == "cancel":
            return [{word: {"of": id, "log": self.label("cancel")}}]
        return [{word: id}]


def _tuple(numbers: list[int]) -> tuple[int, ...]:
    return tuple(numbers)


def handle_programs(language: Language) -> st.SearchStrategy[Program]:
    """Programs of the handle layer; each has at least its pump."""
    handles = tuple(word for word in _HANDLES if language.has(word))
    makers = tuple(word for word in _MAKERS if language.has(word))
    others = tuple(word for word in _OTHERS if language.has(word))
    inner = bodies(makers, others, 2, 3)
    handle = st.builds(
        Sketch, st.sampled_from(handles), st.integers(0, 15),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    )
    plan = st.builds(
        Plan,
        racy=st.sampled_from((False, False, True)) if language.has("work")
        else st.just(False),
        sleepy=st.sampled_from((False, False, False, True)),
        timers=st.booleans(),
        handles=st.lists(handle, min_size=1, max_size=4).map(tuple),
        main=bodies(makers, others, 2, 4),
        turns=st.lists(inner, max_size=_MOST_TURNS).map(tuple),
        modes=st.one_of(
            st.just(()), st.lists(st.integers(0, 2), max_size=3).map(_tuple)),
    )
    return plan.map(lambda plan: _Writer(language, plan).write())
