# SPDX-License-Identifier: MIT
"""A child process that answers each line of JSON with one line of JSON.

Invariants: every wait is bounded; after anything but a whole answer the
process group is killed, so nothing is read from a stream that was given up;
no process outlives close().
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from plumbline.errors import RunError

__all__ = ["Gone", "Lines"]

_LONGEST_LINE = 1 << 24
_SAID = 1000


class Gone(Exception):
    """No answer: `kind` is crash, timeout or protocol."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class Lines:
    """The process; started by start(), and again after it was killed."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.command = list(command)
        self._env = {**os.environ, **env}
        self._heard = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] = tempfile.TemporaryFile()

    @property
    def running(self) -> bool:
        """Whether it was started and not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Starts it; RunError where it cannot be."""
        self._stderr.seek(0)
        self._stderr.truncate()
        self._heard = b""
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=self._env,
                process_group=0,
            )
        except OSError as error:
            raise RunError(f"cannot be started: {error.strerror}",
                           place=self.command[0]) from error

    def close(self) -> None:
        """Ends it for good."""
        self.kill()
        self._stderr.close()

    def kill(self) -> str:
        """Ends the whole group; says how the process itself had ended."""
        process, self._process = self._process, None
        if process is None:
            return "not running"
        ended = process.poll()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was not written is lost, as is its reader
        if ended is None:
            return "it had to be killed"
        return (signal.Signals(-ended).name if ended < 0
                else f"status {ended}")

    def said(self) -> str:
        """The end of what it wrote on stderr."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _SAID))
        return self._stderr.read().decode(errors="replace").strip()

    def ask(self, message: Mapping[str, Any], seconds: float
            ) -> dict[str, Any]:
        """The answer; raises Gone, after which it is not running."""
        try:
            return self._ask(json.dumps(message).encode() + b"\n",
                             time.monotonic() + seconds)
        except Gone as gone:
            how = self.kill()
            last = self.said().splitlines()[-1:] or [""]
            parts = [gone.detail, how if gone.kind == "crash" else "",
                     last[0][:200]]
            raise Gone(gone.kind,
                       "; ".join(part for part in parts if part)) from None

    def refuse(self, detail: str) -> Gone:
        """Kills it for an answer that is none; gives what to raise."""
        self.kill()
        return Gone("protocol", detail)

    def _ask(self, question: bytes, deadline: float) -> dict[str, Any]:
        process = self._process
        assert process is not None and process.stdin is not None
        try:
            process.stdin.write(question)
            process.stdin.flush()
        except OSError:
            pass  # it has ended, which reading tells
        line = self._line(deadline)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Gone("protocol", f"this is no answer: {line[:200]!r}")
        if self._heard:
            raise Gone("protocol",
                       f"more than one answer: {self._heard[:200]!r}")
        return answer

    def _line(self, deadline: float) -> bytes:
        process = self._process
        assert process is not None and process.stdout is not None
        fd = process.stdout.fileno()
        parts = [self._heard]
        length = len(self._heard)
        while b"\n" not in parts[-1]:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise Gone("timeout", "no answer in time")
            parts.append(os.read(fd, 1 << 16))
            length += len(parts[-1])
            if not parts[-1]:
                self._await_end(process)
                raise Gone("crash", "the process ended")
            if length > _LONGEST_LINE:
                raise Gone("protocol", "an endless line")
        line, self._heard = b"".join(parts).split(b"\n", 1)
        return line

    @staticmethod
    def _await_end(process: subprocess.Popen[bytes]) -> None:
        """Its output has ended: a moment to end by itself, to learn how."""
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            pass
