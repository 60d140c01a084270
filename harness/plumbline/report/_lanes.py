# SPDX-License-Identifier: MIT
"""Which phase each event of a program is logged in: a timeline's lanes.

The lane of a label is that of the callback whose body logs it. A label that
several callbacks log has the lane of the first; a picture is no judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["LANES", "lanes_of"]

# From top to bottom, as the documents draw a turn of the loop.
LANES = (
    "main", "ticks", "microtasks", "timers", "idle", "prepare", "poll",
    "check", "closing", "process events", "modules", "other processes",
)

# The lane of an operation's callback.
_OPERATIONS = {
    "tick": "ticks",
    "microtask": "microtasks", "handle": "microtasks", "import": "microtasks",
    "timeout": "timers", "interval": "timers", "timer": "timers",
    "idle": "idle", "prepare": "prepare",
    "check": "check", "immediate": "check",
    "close": "closing", "socket": "closing",
    "listener": "process events",
}
_PHASES = ("fs.", "poll", "async", "signal", "work", "channel", "net.", "udp.")


def _lane(operation: str, value: Any, outer: str) -> str:
    if operation == "chain" and isinstance(value, dict):
        return _OPERATIONS.get(str(value.get("of")), outer)
    if operation in _OPERATIONS:
        return _OPERATIONS[operation]
    if operation.startswith(_PHASES):
        return "poll"
    return outer


def _walk(body: Any, lane: str, found: dict[str, str]) -> None:
    for item in body if isinstance(body, list) else ():
        if not isinstance(item, dict):
            continue
        for operation, value in item.items():
            if operation == "log":
                label = value[0] if isinstance(value, list) else value
                found.setdefault(str(label), lane)
            elif isinstance(value, dict):
                if isinstance(value.get("log"), str):
                    found.setdefault(value["log"], lane)
                inner = _lane(operation, value, lane)
                _walk(value.get("then"), inner, found)
                for each in value.get("each") or ():
                    _walk(each, inner, found)


def lanes_of(program: Mapping[str, Any]) -> dict[str, int]:
    """Label to its number in LANES, of all bodies of a compiled program."""
    found: dict[str, str] = {}
    for key, body in program.items():
        if key == "main":
            _walk(body, "main", found)
        elif key == "bodies" and isinstance(body, list):
            for one in body:
                _walk(one, "modules", found)
        elif key == "roles" and isinstance(body, dict):
            for name, one in body.items():
                _walk(one, "main" if name == "primary" else
                      "other processes", found)
    return {label: LANES.index(lane) for label, lane in found.items()}
