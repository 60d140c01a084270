# SPDX-License-Identifier: MIT
"""Starts `conform` for one implementation and follows its results file.

The judge is always a child of ours in a process group of its own: Ctrl-C
reaches us, we hand it on once, the judge ends its adapter and marks its
results as incomplete. While it runs, a `.part` file grows line by line; only
a file with a footer gets its final name, so that out/results/ never holds a
file that a reader must refuse.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from plumbline.errors import ResultsError, RunError
from plumbline.places import Places
from plumbline.registry import Target
from plumbline.results import Results, read_results

__all__ = [
    "Outcome",
    "Progress",
    "Request",
    "judge",
    "make_folder",
    "reproduce",
    "save_name",
]

_GRACE = 10.0  # seconds that an interrupted judge has to end by itself
_TICK = 0.1

# Called with (cases done, cases selected or None while unknown).
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Request:
    """What to judge, whichever the implementation."""

    select: Sequence[str] = ()
    exclude: Sequence[str] = ()
    repeat: int | None = None
    timeout_ms: int | None = None
    seed: int | None = None
    shard: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How one run of the judge ended."""

    target: Target
    status: int
    results: Results | None
    message: str
    interrupted: bool = False

    @property
    def proved(self) -> bool:
        return self.results is not None and self.status in (0, 1)

    @property
    def silent(self) -> bool:
        """Nothing was proved because nothing of it is promised: no defect,
        where other implementations were judged in the same run."""
        return (
            not self.proved
            and self.results is not None
            and self.results.complete
            and bool(self.results.cases)
            and all(
                case.verdict == "unsupported"
                for case in self.results.cases.values()
            )
        )


def _options(request: Request) -> list[str]:
    words: list[str] = []
    for pattern in request.select:
        words += ["--select", pattern]
    for pattern in request.exclude:
        words += ["--exclude", pattern]
    for flag, value in (
        ("--repeat", request.repeat),
        ("--timeout", request.timeout_ms),
        ("--seed", request.seed),
        ("--shard", request.shard),
    ):
        if value is not None:
            words += [flag, str(value)]
    return words


def implementation_words(places: Places, target: Target) -> list[str]:
    """conform's arguments that name the implementation."""
    if target.provider is not None:
        return [
            "--provider", str(target.provider), "--host", str(places.host)
        ]
    return ["--adapter", shlex.join(target.command)]


def save_name(results: Results, target: Target) -> str:
    """The stem of a results file: which implementation this is."""
    return target.label or results.header.implementation.label


def reproduce(target: Target | str, case: str) -> str:
    """The command that runs one case on one implementation again."""
    if isinstance(target, str):
        who = target
    elif target.spec:
        who = target.spec
    elif target.provider is not None:
        who = f"--provider {shlex.quote(str(target.provider))}"
    else:
        who = f"--adapter {shlex.quote(shlex.join(target.command))}"
    if not isinstance(target, str) and target.label:
        who += f" --name {shlex.quote(target.label)}"
    return f"./plumbline run {who} --select {case}"


class _Tail:
    """Counts the cases in a growing results file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._lines = 0
        self.selected: int | None = None

    def read(self) -> int:
        """How many cases are there by now."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return 0
        end = new.rfind(b"\n") + 1
        if end and self._offset == 0:
            self._header(new[: new.find(b"\n")])
        self._lines += new.count(b"\n", 0, end)
        self._offset += end
        done = max(0, self._lines - 1)
        return min(done, self.selected) if self.selected is not None else done

    def _header(self, line: bytes) -> None:
        try:
            selected = json.loads(line).get("selected")
        except (ValueError, AttributeError):
            return
        self.selected = selected if isinstance(selected, int) else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the judge to end; insist where it does not."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(
    process: subprocess.Popen[bytes],
    tail: _Tail,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> bool:
    """Wait for the judge; True where it was interrupted."""
    try:
        while True:
            try:
                process.wait(_TICK)
                break
            except subprocess.TimeoutExpired:
                progress(tail.read(), tail.selected)
            if cancelled():
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        _end(process)
        return True
    finally:
        if process.poll() is None:
            _end(process)
    progress(tail.read(), tail.selected)
    return False


def make_folder(folder: Path) -> None:
    """The folder for results; RunError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"cannot make the folder for results: {error.strerror}",
            place=str(folder),
            remedy="give another one with --out FOLDER",
        ) from error
    if not os.access(folder, os.W_OK):
        raise RunError(
            "this folder cannot be written to",
            place=str(folder),
            remedy="give another one with --out FOLDER",
        )


def judge(
    places: Places,
    target: Target,
    request: Request,
    folder: Path,
    progress: Progress = lambda done, selected: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Judge one implementation; its results land in `folder`.

    May be called from any thread: Ctrl-C reaches the main thread only, so
    that another one is told to stop through `cancelled`.
    Gives an Outcome even where nothing was proved; raises RunError where the
    judge could not be started or the folder cannot be written.
    """
    # conform looks for it beside itself; without it, channels would look wrong.
    places.built("conformance/peer/plumb-peer")
    make_folder(folder)
    handle, name = tempfile.mkstemp(".part", ".", folder)
    os.close(handle)
    part = Path(name)
    command = [
        str(places.conform),
        "--corpus", str(places.corpus),
        *implementation_words(places, target),
        "--expectations", str(places.expectations),
        "--results", str(part),
        "--quiet",
        *_options(request),
    ]
    try:
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env={**os.environ, **target.env},
                    process_group=0,
                )
            except OSError as error:
                raise RunError(
                    f"the judge cannot be started: {error.strerror}",
                    place=str(places.conform),
                ) from error
            interrupted = _follow(
                process, _Tail(part), progress, cancelled
            )
            said.seek(0)
            message = said.read().decode(errors="replace").strip()
        return _outcome(target, process.returncode, message, part, folder,
                        interrupted, request.shard)
    finally:
        part.unlink(missing_ok=True)


def _outcome(
    target: Target,
    status: int,
    message: str,
    part: Path,
    folder: Path,
    interrupted: bool,
    shard: str | None,
) -> Outcome:
    """Read what the judge left and give it its name."""
    interrupted = interrupted or status in (130, -signal.SIGINT)
    try:
        results = read_results(part)
    except ResultsError as error:
        if status < 0 and not interrupted:
            name = signal.Signals(-status).name
            message = f"the judge was ended by {name}\n{message}".strip()
        elif status in (0, 1):
            # A judge that says it is done must have left a whole file.
            status, message = 2, f"{message}\n{error}".strip()
        return Outcome(target, status, None, message, interrupted)
    stem = save_name(results, target)
    if shard:
        stem += f".shard-{shard.replace('/', '-of-')}"
    end = ".jsonl" if results.complete else ".partial.jsonl"
    final = folder / f"{stem}{end}"
    os.chmod(part, 0o644)
    os.replace(part, final)
    return Outcome(
        target, status, replace(results, path=final), message, interrupted
    )
