# SPDX-License-Identifier: MIT
"""Drives the JavaScript adapter over pipes, finds the runtimes for it, and
writes operations of programs.

Invariant: every wait is bounded, and no process outlives its `with` block.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
ADAPTER = ROOT / "conformance" / "adapters" / "js" / "adapter.cjs"
VOCABULARY = ROOT / "conformance" / "schema" / "vocabulary"

#: The runtimes that the tests want: a name, what its version starts with.
WANTED = {
    "node": ("node", ""),
    "node-12": ("node", "12."),
    "node-22": ("node", "22."),
    "bun": ("bun", ""),
    "deno": ("deno", ""),
}

FLAGS = {
    "node": ["--no-warnings"],
    "bun": ["--no-install"],
    "deno": ["run", "-A", "--v8-flags=--expose-gc,--allow-natives-syntax"],
}

#: Seconds that a runtime has, on however busy a machine.
LONGEST = 120.0

#: No runtime looks for its own updates during a test.
QUIET = {"DENO_NO_UPDATE_CHECK": "1", "DO_NOT_TRACK": "1"}

Message = dict[str, Any]
Program = list[dict[str, Any]]


@dataclass(frozen=True)
class Runtime:
    """An executable and what it says its version is."""

    name: str
    executable: Path
    version: str

    @property
    def command(self) -> list[str]:
        return [str(self.executable), *FLAGS[self.name], str(ADAPTER)]


def _version_of(executable: Path) -> str:
    said = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, timeout=LONGEST
    ).stdout.split()
    words = [word.lstrip("v") for word in said]
    return next((word for word in words if word[:1].isdigit()), "")


def _candidates(name: str) -> list[Path]:
    """Executables of that name: in the runtimes' folder, then on PATH."""
    folder = Path(os.environ.get("PLUMB_RUNTIMES") or ROOT / ".runtimes")
    entries = sorted(folder.glob(f"{name}*")) if folder.is_dir() else []
    found = [
        path
        for entry in entries
        for path in (entry, entry / name, entry / "bin" / name)
        if path.is_file() and os.access(path, os.X_OK)
    ]
    on_path = shutil.which(name)
    return ([Path(on_path)] if on_path else []) + found


def find_runtime(wanted: str) -> Runtime | None:
    """The first runtime that answers to one of the names of WANTED."""
    name, prefix = WANTED[wanted]
    for path in _candidates(name):
        version = _version_of(path)
        if version and version.startswith(prefix):
            return Runtime(name, path, version)
    return None


class Adapter:
    """One adapter process. `nonblocking` makes its ends of the pipes so."""

    def __init__(self, runtime: Runtime, nonblocking: bool = False) -> None:
        self.runtime = runtime
        self._nonblocking = nonblocking
        self._heard = b""

    def __enter__(self) -> Adapter:
        child_in, self._to = os.pipe()
        self._from, child_out = os.pipe()
        if self._nonblocking:
            os.set_blocking(child_in, False)
            os.set_blocking(child_out, False)
        self.process = subprocess.Popen(
            self.runtime.command,
            stdin=child_in,
            stdout=child_out,
            stderr=subprocess.PIPE,
            env=os.environ | QUIET,
        )
        os.close(child_in)
        os.close(child_out)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.end_input()
        os.close(self._from)

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._to, data) :]

    def say(self, message: Message) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def end_input(self) -> None:
        if self._to >= 0:
            os.close(self._to)
        self._to = -1

    def hear(self, seconds: float = LONGEST) -> Message | None:
        """The next message; None at the end of the output."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._heard:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise TimeoutError(f"no answer; heard: {self._heard[:200]!r}")
            chunk = os.read(self._from, 1 << 16)
            if not chunk:
                assert self._heard == b"", f"half a line: {self._heard[:200]!r}"
                return None
            self._heard += chunk
        line, self._heard = self._heard.split(b"\n", 1)
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    def ask(self, message: Message) -> Message:
        self.say(message)
        answer = self.hear()
        assert answer is not None, f"no answer, but an end: {self._last()}"
        return answer

    def _last(self) -> str:
        """How the process ended, and the end of what it complained about."""
        status = self.process.wait(LONGEST)
        assert self.process.stderr is not None
        return f"status {status}: {self.process.stderr.read()[-500:]!r}"

    def start(self) -> Message:
        return self.ask({"cmd": "start", "protocol": 1})

    def run(self, main: Any, seq: int = 1) -> Message:
        """Runs a program in shared mode; the answer."""
        return self.ask(run_command(main, seq))

    def stream(self, main: Program) -> tuple[list[Any], int]:
        """Runs a program in stream mode: its events and the exit status."""
        self.say(run_command(main, 1) | {"stream": True})
        self.end_input()
        events = []
        while (message := self.hear()) is not None:
            assert message["seq"] == 1
            events.append(message["event"])
        return events, self.process.wait(LONGEST)

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def run_command(main: Any, seq: int) -> Message:
    return {
        "cmd": "run",
        "seq": seq,
        "program": {"main": main},
        "files": {},
        "dir": str(ADAPTER.parent),
    }


# -- operations ------------------------------------------------------------


def log(label: str, value: Any = None) -> dict[str, Any]:
    return {"log": label if value is None else [label, value]}


def after(ms: Any, *body: dict[str, Any]) -> dict[str, Any]:
    return {"timeout": {"after": ms, "then": list(body)}}


def then(
    operation: str, *body: dict[str, Any], **members: Any
) -> dict[str, Any]:
    return {operation: {**members, "then": list(body)}}
