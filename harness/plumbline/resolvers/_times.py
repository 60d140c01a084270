# SPDX-License-Identifier: MIT
"""How long resolving takes: the reference, runtimes, resolvers, on one list.

Every engine is a fresh process, all of them once per round in an order that
is drawn anew. Invariants: the first pass over a list is cold (for the engine;
the kernel has the tree in its cache), the best of the others is warm; ratios
are of the same round; processor time counts, or wall time where it is less.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import RunError
from plumbline.registry import Registry
from plumbline.resolvers._ask import Question

__all__ = ["Engine", "Times", "engines_of", "measure", "write_lists"]

_DRIVER = Path(__file__).with_name("times.cjs")
_SECONDS = 1800.0
_FILE_CALLS = "trace=%file,getdents64,close,fstat,read,pread64"
_SMALL = (10, 100, 1000, 10000)


@dataclass(frozen=True)
class Engine:
    """Who resolves: a command that is given two lists. `own` is
    plumb-resolve; `passes` how often a list is gone through."""

    name: str
    command: tuple[str, ...]
    passes: int = 4
    own: bool = False
    library: str = ""


@dataclass(frozen=True)
class Round:
    """Nanoseconds per line, of one process. `warm` is by a place that is
    made before the clock starts, `by_path` of the reference alone."""

    cold: float
    warm: float
    failing: float
    resolved: int
    by_path: float | None = None


@dataclass
class Times:
    """What was measured of one engine; `calls` are system calls per line of
    the cold pass, where they could be counted."""

    engine: Engine
    rounds: list[Round]
    calls: float | None = None

    def median(self, what: str) -> float:
        return float(statistics.median(
            getattr(r, what) for r in self.rounds))

    def ratios(self, other: Times, what: str) -> list[float]:
        """Their time by ours, of each round, the least first."""
        return sorted(
            getattr(theirs, what) / getattr(ours, what)
            for ours, theirs in zip(self.rounds, other.rounds, strict=True))

    def ratio(self, other: Times, what: str) -> float:
        """The same in the median of the rounds."""
        return float(statistics.median(self.ratios(other, what)))


def engines_of(registry: Registry, binary: Path) -> list[Engine]:
    """The reference, and every runtime and resolver that is here."""
    engines = [Engine("reference", (str(binary),), passes=6, own=True)]
    for name in ("node", "bun", "deno"):
        for target in registry.found(registry.entry(name)):
            flags = {"deno": ("run", "-A", "--quiet"),
                     "bun": ("--no-install",), "node": ("--no-warnings",)}
            engines.append(Engine(
                target.title,
                (str(target.executable), *flags[name], str(_DRIVER))))
    for name in ("oxc-resolver", "enhanced-resolve"):
        for target in registry.found(registry.entry(name))[:1]:
            engines.append(Engine(
                target.title,
                (registry.node(), "--no-warnings", str(_DRIVER)),
                passes=4 if name == "oxc-resolver" else 2,
                library=str(target.executable)))
    return engines


def write_lists(folder: Path, questions: Sequence[Question],
                answers: Sequence[Mapping[str, object]]) -> tuple[Path, Path]:
    """The requires that lead to a file, and those that lead nowhere."""
    found, failing = folder / "found.tsv", folder / "failing.tsv"
    with found.open("w") as yes, failing.open("w") as no:
        for question, answer in zip(questions, answers, strict=True):
            if question.mode != "r":
                continue
            line = f"{question.place}\t{question.specifier}\n"
            if str(answer.get("path", "")).startswith("/"):
                yes.write(line)
            elif "path" not in answer:
                no.write(line)
    return found, failing


def measure(
    engines: Sequence[Engine], found: Path, failing: Path, rounds: int,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[Times]:
    """Measures all engines, interleaved."""
    times = {engine.name: Times(engine, []) for engine in engines}
    chance = random.Random(1)
    done, total = 0, rounds * len(engines)
    for _ in range(rounds):
        order = list(engines)
        chance.shuffle(order)
        for engine in order:
            times[engine.name].rounds.append(_one(engine, found, failing))
            done += 1
            progress(done, total)
    for one in times.values():
        one.calls = _calls(one.engine, found)
    return list(times.values())


def _run(command: Sequence[str], stdin: bytes = b"") -> tuple[str, str]:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True,
                              timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"it did not end within {_SECONDS:.0f} s",
                       place=command[0]) from error
    if done.returncode not in (0, 1):
        said = done.stderr.decode(errors="replace").strip()
        raise RunError(f"it ended with {done.returncode}: {said[-1000:]}",
                       place=" ".join(command[:2]))
    return done.stdout.decode(), done.stderr.decode(errors="replace")


def _one(engine: Engine, found: Path, failing: Path) -> Round:
    if engine.own:
        own = own_pass(engine, found.read_bytes())
        none = own_pass(engine, failing.read_bytes())
        return Round(own.cold, own.warm, none.warm, own.lines, own.by_path)
    words = [*engine.command, str(found), str(failing), str(engine.passes)]
    out, _ = _run([*words, engine.library] if engine.library else words)
    said = json.loads(out)
    return Round(said["list"]["cold"], said["list"]["warm"],
                 said["failing"]["warm"], said["list"]["resolved"])


@dataclass(frozen=True)
class OwnPass:
    """plumb-resolve over a list; `calls` are those of the cold pass."""

    cold: float
    warm: float
    by_path: float
    calls: float
    lines: int


def own_pass(engine: Engine, lines: bytes,
             flags: Sequence[str] = ()) -> OwnPass:
    """Runs plumb-resolve over a list in a fresh process."""
    _, said = _run([*engine.command, "--batch", "--repeat",
                    str(engine.passes - 1), *flags], lines)
    cold = re.search(r"^cold ([\d.]+) ns, ([\d.]+) system calls", said, re.M)
    warm = re.findall(r"^warm ([\d.]+) ns", said, re.M)
    by_path = re.findall(r"^by path ([\d.]+) ns", said, re.M)
    if cold is None or not warm or not by_path:
        raise RunError(f"it told no times: {said}", place=engine.command[0])
    return OwnPass(float(cold[1]), min(map(float, warm)),
                   min(map(float, by_path)), float(cold[2]),
                   lines.count(b"\n"))


def _calls(engine: Engine, found: Path) -> float | None:
    """System calls about files per line: of a pass, less those of a start."""
    if engine.own:
        _, said = _run([*engine.command, "--batch", "--repeat", "1"],
                       found.read_bytes())
        match = re.search(r"([\d.]+) system calls", said)
        return float(match[1]) if match else None
    if shutil.which("strace") is None:
        return None
    nothing = found.with_name("nothing.tsv")
    nothing.write_text("")
    counts = []
    for path in (found, nothing):
        words = ["strace", "-f", "--seccomp-bpf", "-c", "-e", _FILE_CALLS,
                 *engine.command, str(path), str(nothing), "1"]
        try:
            _, said = _run([*words, engine.library] if engine.library
                           else words)
        except RunError:
            return None
        total = re.search(r"^\s*100[.,]00.*?(\d+)\s+(?:\d+\s+)?total", said,
                          re.M)
        if total is None:
            return None
        counts.append(int(total[1]))
    lines = found.read_bytes().count(b"\n")
    return (counts[0] - counts[1]) / max(lines, 1)


@dataclass(frozen=True)
class Small:
    """Runs of few resolutions: by single names alone, by listings alone, and
    as the reference chooses; nanoseconds and system calls per line of the
    cold pass."""

    size: int
    single: tuple[float, float]
    listed: tuple[float, float]
    chosen: tuple[float, float]


def measure_small(engine: Engine, found: Path, rounds: int) -> list[Small]:
    """Pieces of the list from several places, each way interleaved."""
    lines = found.read_bytes().splitlines(True)
    ways = {"single": ("--no-listing",), "listed": ("--list-after", "1"),
            "chosen": ()}
    chance = random.Random(2)
    results = []
    for size in (*_SMALL, len(lines)):
        if size > len(lines):
            continue
        best = dict.fromkeys(ways, 0.0)
        calls = dict.fromkeys(ways, 0.0)
        pieces = 1 if size == len(lines) else 6
        for _ in range(pieces):
            at = chance.randrange(len(lines) - size + 1)
            piece = b"".join(lines[at:at + size])
            taken: dict[str, list[OwnPass]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way in chance.sample(list(ways), len(ways)):
                    taken[way].append(own_pass(engine, piece, ways[way]))
            for way, each in taken.items():
                best[way] += min(one.cold for one in each) / pieces
                calls[way] += each[0].calls / pieces
        single, listed, chosen = ((best[way], calls[way]) for way in ways)
        results.append(Small(size, single, listed, chosen))
    return results
