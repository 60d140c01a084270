# SPDX-License-Identifier: MIT
"""Judges several implementations, as many at a time as is asked for.

What comes back is in the order of the implementations, whatever the order in
which they were done. One that cannot be judged does not keep the others from
it; Ctrl-C ends all of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from plumbline.errors import Interrupted, RunError
from plumbline.judge import Outcome, Progress, Request, judge, make_folder
from plumbline.places import Places
from plumbline.registry import Target

__all__ = ["default_jobs", "judge_all"]


def default_jobs() -> int:
    """Two, where there are processors for two.

    The cases are written to hold on a busy machine, and a judge mostly waits.
    More at a time would gain little: one runtime takes as long as the rest.
    """
    return min(2, len(os.sched_getaffinity(0)))


def judge_all(
    places: Places,
    targets: Sequence[Target],
    request: Request,
    folder: Path,
    make_bar: Callable[[str], Progress],
    jobs: int = 1,
) -> list[Outcome]:
    """Judge each target; `make_bar` gives the progress bar of one by title.

    After Ctrl-C outcomes of the list are interrupted, and targets whose turn
    had not come are not in it; Interrupted where it would not show otherwise.
    Raises RunError where not one of them could be judged.
    """
    make_folder(folder)
    stop = threading.Event()

    def one(target: Target) -> Outcome | RunError:
        if stop.is_set():
            raise Interrupted
        try:
            outcome = judge(places, target, request, folder,
                            make_bar(target.title), stop.is_set)
        except RunError as error:
            return error
        if outcome.interrupted:
            stop.set()
        return outcome

    if jobs > 1 and len(targets) > 1:
        ends = _at_once(one, targets, min(jobs, len(targets)), stop)
    else:
        ends = _in_turn(one, targets)
    errors = [end for end in ends if isinstance(end, RunError)]
    if errors and len(errors) == len(ends):
        raise errors[0]
    return [
        Outcome(target, 2, None, str(end)) if isinstance(end, RunError)
        else end
        for target, end in zip(targets, ends)
        if end is not None
    ]


def _in_turn(
    one: Callable[[Target], Outcome | RunError], targets: Sequence[Target]
) -> list[Outcome | RunError | None]:
    ends: list[Outcome | RunError | None] = []
    for target in targets:
        end = one(target)
        ends.append(end)
        if isinstance(end, Outcome) and end.interrupted:
            break
    return ends


def _at_once(
    one: Callable[[Target], Outcome | RunError],
    targets: Sequence[Target],
    jobs: int,
    stop: threading.Event,
) -> list[Outcome | RunError | None]:
    """None stands for a target whose turn did not come."""
    futures: list[Future[Outcome | RunError]] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures += (pool.submit(one, target) for target in targets)
            wait(futures)
        except KeyboardInterrupt:
            stop.set()  # each thread ends its judge, and then itself
        while not all(future.done() for future in futures):
            try:
                wait(futures)
            except KeyboardInterrupt:
                continue  # they have been told, and have a time limit
    ends = [_end_of(future) for future in futures]
    ends += [None] * (len(targets) - len(ends))
    told = any(isinstance(e, Outcome) and e.interrupted for e in ends)
    if None in ends and not told:
        raise Interrupted
    return ends


def _end_of(
    future: Future[Outcome | RunError],
) -> Outcome | RunError | None:
    try:
        return future.result()
    except Interrupted:
        return None
