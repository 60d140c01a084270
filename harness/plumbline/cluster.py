# SPDX-License-Identifier: MIT
"""`run --executor dask://HOST:PORT`: judges on the workers of a Dask cluster.

A unit of work is a shard of one implementation's cases. A worker judges it
from a checkout of its own (harness/ in its PYTHONPATH, built) and sends the
results file back; the parts become one file here, as `plumbline merge` makes
it. Invariant: a case is in the result once or the whole is refused, however
often its shard was begun: a worker that dies has sent nothing, the scheduler
gives its shards to others, and of two answers for one shard one is taken.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plumbline.catalog import Case, read_catalog, select
from plumbline.errors import PlumblineError, RunError, UsageError
from plumbline.judge import Outcome, Progress, Request, judge, make_folder
from plumbline.places import Places, find_places
from plumbline.registry import Target
from plumbline.results import read_results

__all__ = ["address_of", "judge_on_cluster", "judge_shard"]

_PER_WORKER = 4  # shards, so that a lost worker loses little
_CONNECT = 15.0  # seconds


@dataclass(frozen=True)
class Part:
    """What a worker sends back: a whole results file, or why there is none."""

    status: int
    text: str
    message: str


def address_of(executor: str) -> str:
    """The scheduler's address in `dask://HOST:PORT`."""
    scheme, found, rest = executor.partition("://")
    host, colon, port = rest.rpartition(":")
    if scheme != "dask" or not found or not host or not port.isdigit():
        raise UsageError(f"'{executor}' is no executor",
                         remedy="it is written dask://HOST:PORT")
    return f"tcp://{host}:{port}"


def judge_shard(target: Target, request: Request) -> Part:
    """Runs on a worker: one shard, judged in the worker's own checkout."""
    from plumbline.registry import read_registry

    places = find_places()
    try:
        if target.spec:  # by name: where it is, this machine knows
            target = read_registry(places).resolve(target.spec)
        with tempfile.TemporaryDirectory() as folder:
            outcome = judge(places, target, request, Path(folder))
            text = (outcome.results.path.read_text(encoding="utf-8")
                    if outcome.results and outcome.results.complete else "")
        return Part(outcome.status, text, outcome.message)
    except PlumblineError as error:
        return Part(2, "", str(error))


def _shards(cases: Sequence[Case], count: int) -> list[int]:
    """Which of `count` shards have a case, as the judge divides them."""
    return sorted({int(str(case.raw["hash"]), 16) % count + 1
                   for case in cases})


def _connect(address: str) -> Any:
    """A client; distributed has no types, so it is Any from here on."""
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "Dask is not installed",
            remedy="sudo apt-get install --no-install-recommends "
            "python3-distributed") from error
    try:
        return distributed.Client(address, timeout=_CONNECT)
    except OSError as error:
        raise RunError(
            "no scheduler answers there", place=address,
            remedy="start one with:  dask-scheduler") from error


def judge_on_cluster(
    places: Places,
    targets: Sequence[Target],
    request: Request,
    folder: Path,
    make_bar: Callable[[str], Progress],
    executor: str,
) -> list[Outcome]:
    """As judge_all(), on a cluster. Raises RunError where no scheduler or no
    worker is there."""
    make_folder(folder)
    cases = select(read_catalog(places.corpus, places.rules), request.select,
                   request.exclude)
    with _connect(address_of(executor)) as client:
        workers = len(client.scheduler_info()["workers"])
        if not workers:
            raise RunError("the scheduler has no worker", place=executor,
                           remedy="start some with:  dask-worker HOST:PORT")
        count = max(1, workers * _PER_WORKER // len(targets))
        numbers = _shards(cases, count)
        if not numbers:
            raise RunError("no case is selected",
                           remedy="look at the ids with:  plumbline list")
        return _collect(client, targets, request, folder, make_bar, count,
                        numbers)


def _collect(
    client: Any,
    targets: Sequence[Target],
    request: Request,
    folder: Path,
    make_bar: Callable[[str], Progress],
    count: int,
    numbers: Sequence[int],
) -> list[Outcome]:
    as_completed: Any = importlib.import_module("distributed").as_completed
    bars = [make_bar(target.title) for target in targets]
    wanted: dict[Any, tuple[int, int]] = {}
    for index, target in enumerate(targets):
        for number in numbers:
            part = replace(request, shard=f"{number}/{count}")
            future = client.submit(judge_shard, target, part, pure=False,
                                   retries=3)
            wanted[future] = (index, number)
    parts: list[dict[int, Part]] = [{} for _ in targets]
    try:
        for future in as_completed(wanted):
            index, number = wanted[future]
            if future.status == "finished":
                parts[index].setdefault(number, future.result())
            else:
                parts[index].setdefault(number, Part(
                    2, "", f"shard {number}/{count}: {future.exception()}"))
            bars[index](len(parts[index]), len(numbers))
    except KeyboardInterrupt:
        client.cancel(list(wanted), force=True)
        raise
    return [
        _whole(target, found, folder, count, numbers)
        for target, found in zip(targets, parts)
    ]


def _whole(
    target: Target, parts: dict[int, Part], folder: Path, count: int,
    numbers: Sequence[int],
) -> Outcome:
    """The parts of one implementation as one results file."""
    from plumbline.export import write_text
    from plumbline.shards import merge_shards

    bad = next((p for p in parts.values() if not p.text), None)
    if bad is not None:
        return Outcome(target, 2, None, bad.message or "a shard has no results")
    with tempfile.TemporaryDirectory() as scratch:
        paths: list[Path] = []
        for number, part in parts.items():
            paths.append(Path(scratch, f"{number}.jsonl"))
            paths[-1].write_text(part.text, encoding="utf-8")
        empty = set(range(1, count + 1)) - set(numbers)
        label, text = merge_shards(paths, empty)
    final = folder / f"{target.label or label}.jsonl"
    write_text(final, text)
    status = max(part.status for part in parts.values())
    messages = "\n".join(p.message for p in parts.values() if p.message)
    return Outcome(target, status, read_results(final), messages)
