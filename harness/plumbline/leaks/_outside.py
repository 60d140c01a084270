# SPDX-License-Identifier: MIT
"""The cache in the process or in Redis: arms in turns, medians of rounds.

Invariant: a round of an arm has a server of its own; an arm that has failed
once is not measured again, and says why.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.leaks._labs import Lab, lines_of
from plumbline.redis import find_server, redis_server
from plumbline.stats import median

__all__ = ["measure_outside"]

_LONGEST = 600  # seconds a process may take
_MOST = 1_000_000  # pages


def measure_outside(
    labs: Sequence[Lab], quick: bool, tell: Callable[[str], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Medians by implementation, place and entries; and what was skipped."""
    executable = find_server()
    if executable is None:
        return [], ["the cache in Redis: redis-server is not installed"]
    sizes = (2_000, 20_000) if quick else (10_000, 100_000, _MOST)
    # The reference and one runtime are enough to be quick, or for the most.
    arms = [(lab, where, size) for size in sizes for lab in labs
            for where in lab.places
            if lab in labs[:2] or not (quick or size == _MOST)]
    rounds: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    failed: dict[tuple[str, str, int], str] = {}
    order = random.Random(1)
    try:
        for number in range(2 if quick else 3):
            order.shuffle(arms)
            for lab, where, size in arms:
                tell(f"{lab.label}: cache of {size:,} in {where}, "
                     f"round {number + 1}")
                key = lab.label, where, size
                if key not in failed:
                    _measure(lab, where, size, executable, quick,
                             rounds.setdefault(key, []), failed)
    except OSError as error:
        return [], [f"the cache in Redis: {error}"]
    every = sorted({(lab.label, where, size) for lab, where, size in arms},
                   key=lambda k: (k[2], [x.label for x in labs].index(k[0]),
                                  k[1]))
    return [_arm(key, rounds.get(key, ()), failed.get(key))
            for key in every], []


def _measure(
    lab: Lab, where: str, size: int, executable: str, quick: bool,
    into: list[Mapping[str, Any]], failed: dict[tuple[str, str, int], str],
) -> None:
    words = [*lab.outside, where, "--entries", str(size), "--requests",
             "2000" if quick else "20000"]
    try:
        if where == "redis":
            with redis_server(executable) as server:
                into += lines_of([*words, "--socket", server.socket],
                                 lab.env, _LONGEST)
        else:
            into += lines_of(words, lab.env, _LONGEST)
    except PlumblineError as error:
        failed[lab.label, where, size] = str(error)


def _arm(
    key: tuple[str, str, int], rounds: Sequence[Mapping[str, Any]],
    problem: str | None,
) -> dict[str, Any]:
    arm: dict[str, Any] = {"implementation": key[0], "where": key[1],
                           "entries": key[2], "rounds": len(rounds)}
    if problem is not None or not rounds:
        return arm | {"problem": problem or "nothing was measured"}
    for name in ("stops", "gets"):
        arm[name] = {part: median([one[name][part] for one in rounds])
                     for part in ("p50", "p99", "max")}
    for name in ("rss", "heapUsed", "serverUsed"):
        arm[name] = median([one[name] for one in rounds])
    return arm
