# SPDX-License-Identifier: MIT
"""Which machine it was, and how quiet.

Invariant: the fingerprint holds what makes times comparable (processor, its
count, kernel series, C library, compiler) and never a frequency or a load,
which are others in every run; those are the noise.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

__all__ = ["Noise", "Watch", "fingerprint", "machine"]

_PROC = Path("/proc")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _model(proc: Path) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text(proc / "cpuinfo"),
                      re.MULTILINE)
    return found.group(1) if found else platform.processor() or "unknown"


@cache
def _compiler() -> str:
    try:
        done = subprocess.run(["cc", "--version"], capture_output=True,
                              text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def machine(proc: Path = _PROC) -> dict[str, str]:
    """What makes times of two runs comparable."""
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "cpu": _model(proc),
        "cores": str(len(os.sched_getaffinity(0))),
        "arch": platform.machine(),
        "kernel": f"{platform.system()} {kernel}",
        "libc": " ".join(platform.libc_ver()),
        "compiler": _compiler(),
    }


def fingerprint(of: Mapping[str, str]) -> str:
    """A short name of a machine: times with another one do not compare."""
    text = "\n".join(f"{key}={of[key]}" for key in sorted(of))
    return sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Noise:
    """How disturbed a stretch of time was; None where the kernel does not
    tell."""

    seconds: float
    steal: float | None  # share of CPU time that another guest had
    pressure: float | None  # share of time in which somebody waited for a CPU
    load: float | None
    involuntary: int  # times that a benchmark lost its CPU
    spread: float | None = None  # A/A, as a share

    def to_json(self) -> dict[str, float | int | None]:
        return {
            "seconds": round(self.seconds, 3),
            "steal": _rounded(self.steal),
            "pressure": _rounded(self.pressure),
            "load": _rounded(self.load),
            "involuntary": self.involuntary,
            "aa_spread": _rounded(self.spread),
        }

    def __str__(self) -> str:
        parts = [
            f"{name} {value:.1%}" for name, value in (
                ("steal", self.steal), ("pressure", self.pressure),
                ("A/A spread", self.spread)) if value is not None
        ]
        if self.load is not None:
            parts.append(f"load {self.load:.1f}")
        return ", ".join(parts) or "nothing is known of the noise"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


@dataclass(frozen=True)
class Watch:
    """A look at the machine's counters; a second one gives the noise."""

    proc: Path
    wall: float
    steal: float | None
    busy: float | None
    stalled: float | None
    switches: int

    @staticmethod
    def begin(proc: Path = _PROC) -> Watch:
        steal, busy = _processors(proc)
        return Watch(proc, _uptime(proc), steal, busy, _stalled(proc),
                     _switches())

    def end(self, spread: float | None = None) -> Noise:
        now = Watch.begin(self.proc)
        seconds = max(now.wall - self.wall, 1e-9)
        return Noise(
            seconds=seconds,
            steal=_share(self.steal, now.steal, _minus(now.busy, self.busy)),
            pressure=_share(self.stalled, now.stalled, seconds),
            load=_load(self.proc),
            involuntary=now.switches - self.switches,
            spread=spread,
        )


def _minus(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _share(
    before: float | None, after: float | None, whole: float | None
) -> float | None:
    part = _minus(after, before)
    if part is None or not whole or whole <= 0:
        return None
    return min(1.0, max(0.0, part / whole))


def _uptime(proc: Path) -> float:
    words = _text(proc / "uptime").split()
    return float(words[0]) if words else 0.0


def _processors(proc: Path) -> tuple[float | None, float | None]:
    """Ticks that were stolen, and all ticks."""
    words = _text(proc / "stat").partition("\n")[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None, None
    ticks = [float(word) for word in words[1:9]]
    return ticks[7], sum(ticks)


def _stalled(proc: Path) -> float | None:
    found = re.search(r"^some .*total=(\d+)", _text(proc / "pressure/cpu"),
                      re.MULTILINE)
    return float(found.group(1)) / 1e6 if found else None


def _load(proc: Path) -> float | None:
    words = _text(proc / "loadavg").split()
    return float(words[0]) if words else None


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_nivcsw
