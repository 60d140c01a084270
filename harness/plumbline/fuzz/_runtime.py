# SPDX-License-Identifier: MIT
"""Programs of the runtime layer: timeouts, immediates, ticks and the like.

Every program ends, whatever the order in which its callbacks run:
- a body runs `once` when it stands in main, or in a callback that is called
  once and itself stands in a body that runs once;
- intervals are made, and timeouts refreshed, only where a body runs once; an
  interval clears itself in its last body; a timeout that may be refreshed has
  a last body that does not count as once.
So there are at most as many refreshes as the text has, and the rest is a
tree. An object is named only where it has been made for certain: in its own
body behind it, or in callbacks below that body.

A program is either `exact` (blocks past deadlines, no requests) or `racy`
(requests, no blocks): a request is never taken for finished because time has
passed, which no busy machine guarantees.

Whether a loop that nothing keeps alive still looks at its timers once depends
on where main runs: before the loop, or (JavaScript adapters that run program
after program) in a check phase. So a program that unrefs begins in an
immediate. Immediates are not unref'd: how often a loop that sleeps wakes up to
run them is nobody's promise.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from plumbline.fuzz._language import Language
from plumbline.fuzz._raw import Body, Op, Program, Sketch, bodies

__all__ = ["runtime_programs"]

_MAKERS = ("immediate", "timeout", "timeout", "tick", "microtask",
           "interval", "fs.stat", "chain")
_OTHERS = ("clear", "clear", "block", "refresh", "unref", "ref", "$hasref")

# Deadlines are apart by more than a clock's tick, and a long block is longer
# than the longest delay.
_DELAYS = (1, 0, 4, 8)
_PERIODS = (1, 4)
_BLOCKS = (12, 12, 3)
_ONE_DELAY = 4

_MOST_OBJECTS = 9
_MOST_BLOCKS = 2
_TIMERS = ("timeout", "interval")
_CLEARABLE = ("timeout", "interval", "immediate")
_DRAINED = {"tick", "microtask"}


@dataclass
class _Object:
    """Something that the program makes, and may name."""

    kind: str
    label: str
    op: Op
    refreshable: bool
    named: bool = False

    @property
    def argument(self) -> dict[str, object]:
        argument = self.op[self.kind]
        assert isinstance(argument, dict)
        return argument


@dataclass(frozen=True)
class _Place:
    """Where a body stands."""

    once: bool
    main: bool              # main itself, or what is drained behind it
    interval: bool = False  # within an interval's callback
    drain: bool = False     # a tick's or microtask's callback


class _Writer:
    """Makes one program from a sketch."""

    def __init__(self, language: Language, racy: bool) -> None:
        self.language = language
        self.racy = racy
        self.objects: list[_Object] = []
        self.blocks = 0
        self.values = 0
        self.unrefs = False

    # -- bodies ------------------------------------------------------------

    def body(
        self, body: Body, scope: tuple[_Object, ...], place: _Place
    ) -> Program:
        made = [self.declare(sketch, place) for sketch in body]
        below = scope + tuple(one for one in made if one is not None)
        seen = list(scope)
        result: Program = []
        for sketch, one in zip(body, made):
            if one is not None:
                self.callback(one, sketch, below, place)
                seen.append(one)
                result.append(one.op)
            else:
                result += self.other(sketch, seen, place)
        return result

    # -- what has a callback -----------------------------------------------

    def declare(self, sketch: Sketch, place: _Place) -> _Object | None:
        """The object that a sketch makes; None where it may not."""
        kind = sketch.word
        if kind not in _MAKERS or not self.language.has(kind):
            return None
        chained = self.chained(sketch) if kind == "chain" else ""
        if chained and not self.language.has(chained):
            return None
        immediate = "immediate" in (kind, chained)
        if (
            len(self.objects) >= _MOST_OBJECTS
            or (kind == "interval" and not (
                place.once and self.language.has("clear")))
            or (kind == "fs.stat" and not self.racy)
            or (kind in _TIMERS and place.interval
                and not self.language.has("timers-in-interval"))
            or (immediate and place.main
                and not self.language.has("immediate-in-main"))
        ):
            return None
        label = f"{kind.removeprefix('fs.')}-{len(self.objects) + 1}"
        argument = self.argument(sketch)
        if kind in _CLEARABLE:
            argument = {"id": label, **argument}
        one = _Object(
            kind, label, {kind: argument},
            kind == "interval" or
            (kind == "timeout" and len(sketch.bodies) > 1),
        )
        self.objects.append(one)
        return one

    @staticmethod
    def chained(sketch: Sketch) -> str:
        return ("tick", "microtask", "immediate")[sketch.number % 3]

    def argument(self, sketch: Sketch) -> dict[str, object]:
        number = sketch.number
        several = self.language.has("durations")
        if sketch.word == "timeout":
            delays = (1, 0) if self.racy else _DELAYS
            return {"after": delays[number % len(delays)] if several
                    else _ONE_DELAY}
        if sketch.word == "interval":
            return {"every": _PERIODS[number % 2] if several and not self.racy
                    else 1 if several else _ONE_DELAY}
        if sketch.word == "fs.stat":
            return {"path": ("." , "missing")[number % 2]}
        if sketch.word == "chain":
            return {"of": self.chained(sketch), "length": 2 + number % 2}
        return {}

    def callback(
        self, one: _Object, sketch: Sketch, scope: tuple[_Object, ...],
        place: _Place,
    ) -> None:
        """Writes the bodies of an object's callback."""
        argument = one.argument
        several = one.kind in _TIMERS
        inner = sketch.bodies[:3 if several else 1] or ((),)
        written: list[Program] = []
        for index, body in enumerate(inner):
            last = index == len(inner) - 1
            drain = bool({one.kind, argument.get("of")} & _DRAINED)
            below = _Place(
                place.once and not (last and one.kind == "timeout"
                                    and one.refreshable),
                place.main and drain,
                place.interval or one.kind == "interval",
                drain,
            )
            label = one.label
            if len(inner) > 1:
                label += "abc"[index]
            ops = self.body(body, scope, below)
            said: object = label
            if one.kind == "fs.stat":
                said = [label, "$result"]
            if one.kind == "interval" and last:
                where = len(ops) if sketch.number & 4 else 0
                ops.insert(where, {"clear": self.name(one)})
            written.append([{"log": said}, *ops])
        if len(written) > 1:
            argument["each"] = written
        else:
            argument["then"] = written[0]

    # -- the others --------------------------------------------------------

    def other(
        self, sketch: Sketch, seen: list[_Object], place: _Place
    ) -> Program:
        word = sketch.word
        if word in _MAKERS or not self.language.has(word):
            return []
        if word == "block":
            return self.block(sketch, place)
        if word == "refresh" and not self.may_refresh(place):
            return []
        fitting = [
            one for one in seen
            if (one.refreshable if word == "refresh" else
                one.kind in (_TIMERS if word == "unref" else _CLEARABLE))
        ]
        if not fitting:
            return []
        name = self.name(fitting[-1 - sketch.number % len(fitting)])
        if word == "$hasref":
            self.values += 1
            return [{"log": [f"hasref-{self.values}", f"$hasref:{name}"]}]
        self.unrefs = self.unrefs or word == "unref"
        return [{word: name}]

    def may_refresh(self, place: _Place) -> bool:
        return (
            place.once
            and (not place.drain or self.language.has("refresh-in-drain"))
            and (not place.interval
                 or self.language.has("timers-in-interval"))
        )

    def block(self, sketch: Sketch, place: _Place) -> Program:
        if self.racy or self.blocks >= _MOST_BLOCKS or (
            place.interval and not self.language.has("block-in-interval")
        ):
            return []
        self.blocks += 1
        return [{"block": _BLOCKS[sketch.number % len(_BLOCKS)]}]

    @staticmethod
    def name(one: _Object) -> str:
        """The object's id, which stays because it is named."""
        one.named = True
        return one.label

    def write(self, main: Body) -> Program:
        """The whole program."""
        program = self.body(main, (), _Place(once=True, main=True))
        for one in self.objects:
            if not one.named:
                one.argument.pop("id", None)
        if self.unrefs:
            return [{"immediate": {"then": program}}]
        return program


def runtime_programs(language: Language) -> st.SearchStrategy[Program]:
    """Programs of the runtime layer, some of them empty."""
    makers = tuple(word for word in _MAKERS if language.has(word))
    others = tuple(word for word in _OTHERS if language.has(word))
    racy = st.sampled_from((False, False, True)) if language.has(
        "fs.stat") else st.just(False)
    return st.builds(
        lambda racy, main: _Writer(language, racy).write(main),
        racy, bodies(makers, others, 3, 8),
    )
