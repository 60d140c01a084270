# SPDX-License-Identifier: MIT
"""What a program may say to one implementation, and still be decided.

The model has one set of traits. Where an implementation has others, words are
taken away until the difference cannot be seen; what is left must agree. The
same holds for differences that are known (known.yaml, --without).

Invariant: a language only ever shrinks, so a program of a smaller one is a
program of the larger one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from plumbline.errors import UsageError

__all__ = ["HANDLES", "LAYERS", "Language", "RUNTIME", "languages_of"]

RUNTIME = "runtime"
HANDLES = "handles"
LAYERS = (RUNTIME, HANDLES)

# Word: the capability without which it is not said.
_RUNTIME_WORDS = {
    "timeout": "loop.timeout",
    "interval": "loop.timeout",
    "refresh": "loop.timeout",
    "clear": "loop.timeout",
    "immediate": "loop.immediate",
    "tick": "loop.tick",
    "microtask": "loop.microtask",
    "chain": "loop.tick",
    "fs.stat": "loop.fs",
    "ref": "loop.ref",
    "unref": "loop.ref",
    "$hasref": "loop.ref",
    "block": "",
    # Not operations, but what programs are like.
    "durations": "",          # timeouts of several durations
    "immediate-in-main": "",  # immediates made before the first turn
    "block-in-interval": "",  # intervals whose callbacks take their time
    "timers-in-interval": "",  # timers made or refreshed in their callbacks
    "refresh-in-drain": "",   # refreshed by ticks and microtasks
}
_HANDLE_WORDS = {
    "timer": "loop.timer",
    "timer.start": "loop.timer",
    "timer.again": "loop.timer",
    "timer.set-repeat": "loop.timer",
    "idle": "loop.watcher",
    "prepare": "loop.watcher",
    "check": "loop.watcher",
    "start": "loop.watcher",
    "stop": "loop.watcher",
    "async": "loop.async",
    "async.send": "loop.async",
    "poll": "loop.poll",
    "poll.write": "loop.poll",
    "work": "loop.work",
    "cancel": "loop.work",
    "close": "loop.close",
    "ref": "loop.ref",
    "unref": "loop.ref",
    "$hasref": "loop.ref",
    "run": "loop.run",
    "stop-loop": "loop.run",
    "update-time": "loop.run",
    "$alive": "loop.run",
    "$active": "loop.run",
    "$closing": "loop.close",
    # Node's queues on top, where one implementation has both.
    "immediate": "loop.immediate",
    "tick": "loop.tick",
    "microtask": "loop.microtask",
    "block": "",
    "zero-in-timer": "",     # 0 ms given in a timer's callback
    "timers-and-modes": "",  # timers beside run modes, stop and unref
}
_WORDS = {RUNTIME: _RUNTIME_WORDS, HANDLES: _HANDLE_WORDS}

# Words without which a layer has no program.
_CORE = {RUNTIME: ("timeout", "immediate"), HANDLES: ("idle", "close")}

# Words that a trait takes away: it has it, or it lacks it.
_WITH = {
    "immediates-before-timers": ("immediate-in-main",),
    "interval-from-callback-end": ("block-in-interval",),
    "drain-per-phase": ("tick", "microtask", "chain"),
}
_WITHOUT = {
    "timers-after-poll": ("timers-and-modes", "ref-of-runtime"),
    "timer-lists": ("durations", "block-in-interval", "timers-in-interval"),
    "zero-timer-next-iteration": ("zero-in-timer", "update-time"),
}
_OF_RUNTIME = {"ref-of-runtime": ("unref",)}


@dataclass(frozen=True)
class Language:
    """The words of the programs of one layer."""

    layer: str
    words: frozenset[str]

    def has(self, *words: str) -> bool:
        """Whether it has all of them."""
        return all(word in self.words for word in words)

    def without(self, words: Iterable[str]) -> Language:
        """The language without these words; unknown ones are refused."""
        gone = frozenset(words)
        unknown = sorted(gone - set(_RUNTIME_WORDS) - set(_HANDLE_WORDS))
        if unknown:
            known = sorted({**_RUNTIME_WORDS, **_HANDLE_WORDS})
            raise UsageError(
                f"programs have no word '{unknown[0]}'",
                remedy=f"words: {', '.join(known)}",
            )
        return replace(self, words=self.words - gone)


def _words(layer: str, capabilities: Iterable[str]) -> frozenset[str]:
    have = {"", *capabilities}
    return frozenset(
        word for word, needs in _WORDS[layer].items() if needs in have
    )


def _hidden(layer: str, traits: Iterable[str]) -> frozenset[str]:
    """The words that would show the traits."""
    have = set(traits)
    gone = [word for trait, words in _WITH.items() if trait in have
            for word in words]
    gone += [word for trait, words in _WITHOUT.items() if trait not in have
             for word in words]
    result: set[str] = set()
    for word in gone:
        result |= set(_OF_RUNTIME[word] if layer == RUNTIME else ()
                      ) if word in _OF_RUNTIME else {word}
    return frozenset(result)


def languages_of(
    capabilities: Iterable[str],
    traits: Iterable[str],
    gone: Iterable[str] = (),
) -> list[Language]:
    """The languages of an implementation, none to two of them."""
    capabilities, traits, gone = list(capabilities), list(traits), list(gone)
    result = []
    for layer in LAYERS:
        language = Language(layer, _words(layer, capabilities))
        language = language.without(gone)
        if language.has(*_CORE[layer]):
            language = replace(
                language, words=language.words - _hidden(layer, traits)
            )
            result.append(language)
    return result
