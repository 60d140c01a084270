# SPDX-License-Identifier: MIT
"""Judges mutants against the clean reference, two at a time.

A kill needs both halves: the clean reference is as expected on the case, and
the mutant is not (a forbidden trace, a time-out, a crash: all count). A fault
that depends on time may leave an allowed trace by chance: what a case named by
the mutant missed is judged again, and the verdict says how often.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import Interrupted, MutantError, RunError
from plumbline.judge import Outcome, Request, judge
from plumbline.mutants._compile import Workshop
from plumbline.mutants._read import Mutant
from plumbline.places import Places
from plumbline.registry import Target

__all__ = ["Verdict", "judge_mutants"]

Progress = Callable[[int, int | None], None]
_ATTEMPTS = 3


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant: the cases that killed it, each with the
    verdict it got, the named ones that did not, and how often it was judged."""

    mutant: Mutant
    kills: Mapping[str, str]
    missed: Sequence[str]
    attempts: int = 1

    @property
    def killed(self) -> bool:
        return bool(self.kills)


def _baseline(
    places: Places, target: Target, request: Request, named: Sequence[str]
) -> set[str]:
    """The cases that the clean reference gets as expected."""
    outcome = judge(places, target, request, places.build / "mutants/clean")
    if outcome.interrupted:
        raise Interrupted
    if outcome.results is None or not outcome.proved:
        raise RunError(
            f"the clean reference proved nothing: {outcome.message}"
        )
    good = {
        case.id for case in outcome.results.cases.values()
        if case.verdict == "pass" and not case.unexpected
    }
    bad = [case for case in named if case not in good]
    if bad:
        raise MutantError(
            f"the clean reference does not pass {bad[0]}, so it can kill "
            "nothing",
            remedy=f"see:  plumbline run ref --select {bad[0]}",
        )
    return good


def _kills(outcome: Outcome, good: set[str]) -> dict[str, str]:
    """The cases that this run lost against the clean one."""
    if outcome.results is None:
        if outcome.interrupted:
            raise Interrupted
        raise RunError(
            f"{outcome.target.title} proved nothing: {outcome.message}"
        )
    return {
        case.id: case.verdict
        for case in outcome.results.cases.values()
        if case.id in good and case.verdict not in ("pass", "unsupported")
    }


def judge_mutants(
    places: Places,
    mutants: Sequence[Mutant],
    workshop: Workshop,
    clean: Target,
    full: Sequence[str] = (),
    timeout_ms: int | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Verdict]:
    """Judge all of them with the cases that each names, or, where `full`
    selects cases, with all of those."""
    stop = threading.Event()
    named = sorted({case for m in mutants for case in m.killed_by})
    # Without that limit, which is short for the mutants that hang: a busy
    # machine must not make the reference look wrong.
    good = _baseline(places, clean, Request(select=full or named), named)
    done = 0
    lock = threading.Lock()

    def one(mutant: Mutant) -> Verdict:
        nonlocal done
        if stop.is_set():
            raise Interrupted
        library = workshop.make(mutant)
        verdict = _judge_one(places, mutant, library, good, full, timeout_ms,
                             stop)
        with lock:
            done += 1
            progress(done, len(mutants))
        return verdict

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        futures = [pool.submit(one, mutant) for mutant in mutants]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            stopped = [f for f in futures if f.done() and f.exception()]
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        if stopped:
            stop.set()
            pool.shutdown(cancel_futures=True)
            stopped[0].result()
        return [future.result() for future in futures]


def _judge_one(
    places: Places,
    mutant: Mutant,
    library: Path,
    good: set[str],
    full: Sequence[str],
    timeout_ms: int | None,
    stop: threading.Event,
) -> Verdict:
    target = Target(name=mutant.id, spec="", provider=library,
                    label=mutant.id)
    kills: dict[str, str] = {}
    missed: Sequence[str] = mutant.killed_by
    for attempt in range(1, _ATTEMPTS + 1):
        outcome = judge(
            places,
            target,
            Request(select=full or missed, timeout_ms=timeout_ms),
            library.parent / "results",
            cancelled=stop.is_set,
        )
        kills |= _kills(outcome, good)
        missed = [case for case in mutant.killed_by if case not in kills]
        if not missed or stop.is_set():
            break
    return Verdict(mutant, kills, missed, attempt)
