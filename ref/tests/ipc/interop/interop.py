# SPDX-License-Identifier: MIT
"""Holds the reference's channels and clusters against real runtimes.

Usage: interop.py PEER FOLDER [RUNTIME...]

PEER is the reference's program of this folder, FOLDER where pinned runtimes
are. Every pair of parent and child, and of primary and worker, is run in both
directions; what a runtime is known not to do is said and left out. A runtime
that is not there is named as skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORDS = ["echo", "server", "socket", "udp", "given", "ended", "exit"]
SECONDS = 40


@dataclass(frozen=True)
class Runtime:
    """A JavaScript runtime and what it is known to lack."""

    name: str
    command: tuple[str, ...]
    without: frozenset[str]


# Why, and what was seen, is in this folder's README.
LACKS = {
    "node12": frozenset({"child advanced", "parent advanced"}),
    "node20": frozenset[str](),
    "node22": frozenset[str](),
    "bun": frozenset({"child advanced", "parent advanced"}),
    "deno": frozenset({"worker none", "primary rr", "primary none"}),
}


class Wrong(Exception):
    """A conversation that went otherwise than it must."""


def find_runtimes(folder: Path) -> list[Runtime]:
    """Node on the PATH, and what was added to the folder of runtimes."""
    found: dict[str, str] = {}
    on_path = shutil.which("node")
    places = [Path(on_path)] if on_path else []
    if folder.is_dir():
        places += [
            child / child.name.split("-")[0]
            for child in sorted(folder.iterdir())
        ]
    for place in places:
        if not place.exists():
            continue
        name = place.name
        if name == "node":
            answer = subprocess.run(
                [place, "--version"], capture_output=True, text=True, check=True
            )
            name += answer.stdout.lstrip("v").split(".")[0]
        found.setdefault(name, str(place))
    runtimes = []
    for name, lacks in LACKS.items():
        if name in found:
            run = ("run", "-A") if name == "deno" else ()
            runtimes.append(Runtime(name, (found[name], *run), lacks))
        else:
            print(f"skipped: {name} is not here")
    return runtimes


def start(command: list[str]) -> subprocess.Popen[str]:
    """Starts a program as the leader of its group."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(program: subprocess.Popen[str]) -> None:
    """Ends a program with all that it has started."""
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def converse(command: list[str]) -> None:
    """Runs a parent, whose words must be all of them."""
    with start(command) as parent:
        try:
            out, err = parent.communicate(timeout=SECONDS)
        finally:
            end(parent)
    words = out.split()
    if sorted(words) != sorted(WORDS) or parent.returncode != 0:
        raise Wrong(f"{words}, status {parent.returncode}: {err}")


def ask(port: int) -> str:
    """One connection: who answered."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        answer = b""
        while piece := client.recv(64):
            answer += piece
    return answer.decode()


def expect_order(policy: str, answers: list[str]) -> None:
    """Whether the connections went to whom they should."""
    if policy == "none":
        return  # the kernel decides
    counts = [answers.count(worker) for worker in ("1", "2", "3")]
    # On a busy machine one that is not free yet is passed over.
    if policy == "rr" and min(counts) < 4:
        raise Wrong(f"no round robin: {answers}")
    if policy == "weighted" and not (counts[2] > counts[0] and min(counts) > 0):
        raise Wrong(f"not by weight: {answers}")


def serve(command: list[str], policy: str) -> None:
    """Runs a primary of three workers: connections, a death, the end."""
    with start(command) as primary:
        watchdog = threading.Timer(SECONDS, end, [primary])
        watchdog.start()
        try:
            drive(primary, policy)
        finally:
            watchdog.cancel()
            end(primary)


def drive(primary: subprocess.Popen[str], policy: str) -> None:
    """What is asked of a primary."""
    assert primary.stdin and primary.stdout
    words = primary.stdout.readline().split()
    if words[:1] != ["listening"]:
        end(primary)
        raise Wrong(f"no listening: {words} {primary.communicate()}")
    port = int(words[1])
    expect_order(policy, [ask(port) for _ in range(18)])
    primary.stdin.write("kill 2\n")
    primary.stdin.flush()
    gone = primary.stdout.readline().split()
    if gone != ["exited", "2", "-1", "9", "0"]:
        raise Wrong(f"after a kill: {gone}")
    answers = {ask(port) for _ in range(12)}
    if not answers <= {"1", "3"}:
        raise Wrong(f"the dead answer: {answers}")
    out, err = primary.communicate(timeout=SECONDS)
    ends = sorted(out.splitlines())
    if ends != ["exited 1 0 0 1", "exited 3 0 0 1"]:
        raise Wrong(f"the end: {ends} {err}")
    if primary.returncode != 0:
        raise Wrong(f"status {primary.returncode}: {err}")


def conversations(
    peer: str, runtime: Runtime
) -> list[tuple[str, list[str], str]]:
    """Each with its name, its command, and (a cluster) its policy."""
    js = [*runtime.command]
    found = []
    for mode in ("json", "advanced"):
        child = [peer, "parent", mode, *js, str(HERE / "child.cjs")]
        found.append((f"child {mode}", child, ""))
        parent = [*js, str(HERE / "parent.cjs"), mode, peer]
        found.append((f"parent {mode}", parent, ""))
    for policy in ("rr", "none", "weighted"):
        worker = [peer, "primary", policy, "3", *js, str(HERE / "worker.cjs")]
        found.append((f"worker {policy}", worker, policy))
        if policy != "weighted":
            primary = [*js, str(HERE / "primary.cjs"), policy, "3", peer]
            found.append((f"primary {policy}", primary, policy))
    return found


def main() -> int:
    """Runs what there is; 1 when something is wrong."""
    peer, folder, *wanted = sys.argv[1:]
    own = Runtime("ref", (), frozenset())
    bad = 0
    talks = [
        (own, "child json", [peer, "parent", "json", peer, "child"], ""),
        (own, "child advanced", [peer, "parent", "advanced", peer, "child"], ""),
    ]
    for policy in ("rr", "none", "weighted"):
        command = [peer, "primary", policy, "3", peer, "worker"]
        talks.append((own, f"worker {policy}", command, policy))
    for runtime in find_runtimes(Path(folder)):
        for name, command, policy in conversations(peer, runtime):
            talks.append((runtime, name, command, policy))
    for runtime, name, command, policy in talks:
        if wanted and runtime.name not in wanted:
            continue
        if name in runtime.without:
            print(f"known: {runtime.name} as {name} does not")
            continue
        try:
            if policy:
                serve(command, policy)
            else:
                converse(command)
            print(f"ok: {runtime.name} as {name}")
        except (Wrong, subprocess.TimeoutExpired, OSError) as wrong:
            print(f"WRONG: {runtime.name} as {name}: {wrong}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
