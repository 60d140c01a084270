# SPDX-License-Identifier: MIT
"""Adapters that run programs of modules: a provider's host, and Node's.

An adapter stays for many programs; each gets a fresh directory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plumbline.errors import RunError
from plumbline.fuzz._lines import Gone, Lines
from plumbline.loaders._random import Program

__all__ = ["Peer"]

_SECONDS = 60.0


class Peer:
    """One implementation, by the command of its adapter."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._lines = Lines(command, {"NODE_PATH": "", "NODE_OPTIONS": ""})
        self._begun = False

    def close(self) -> None:
        self._lines.close()

    def run(self, program: Program) -> list[Any]:
        """The events of a program; one of what went wrong where there are
        none."""
        with tempfile.TemporaryDirectory(prefix="plumb-loaders-") as folder:
            for name, text in program.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            command = {"cmd": "run", "seq": 1, "dir": folder, "files": {},
                       "program": program.message()}
            try:
                answer = self._ask(command)
            except Gone as gone:
                self._lines.kill()
                self._begun = False
                return [["the adapter is gone", gone.kind]]
        events: Any = answer.get("events")
        if isinstance(events, list):
            return events
        return [["no events", json.dumps(answer)[:300]]]

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        if not self._begun:
            self._lines.start()
            self._begun = True
            start = self._lines.ask({"cmd": "start", "protocol": 1}, _SECONDS)
            if "modules.require" not in start.get("capabilities", []):
                raise RunError(f"{self.name} does not load modules")
        return self._lines.ask(command, _SECONDS)
