# SPDX-License-Identifier: MIT
"""Programs below ref/apps that do the same work in several ways and measure it
themselves: the I/O models, the ways to serve.

They print google-benchmark JSON in which a way stands where an implementation
does; so the tables and pictures of benchmarks serve.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import RunError
from plumbline.measure import Document, read_document
from plumbline.measure._document import write_whole
from plumbline.places import Places

__all__ = ["IO_MODELS", "WAYS_TO_SERVE", "Lab", "measure_lab"]


@dataclass(frozen=True)
class Lab:
    """One such program; `option` is that of `plumbline bench`."""

    program: str
    name: str
    option: str
    what: str
    longest: float  # seconds


IO_MODELS = Lab("ref/apps/io-models/plumb-io-models", "io-models",
                "--io-models", "the models", 120)
WAYS_TO_SERVE = Lab("ref/apps/ways-to-serve/plumb-ways-to-serve",
                    "ways-to-serve", "--ways-to-serve", "the ways to serve",
                    300)


def measure_lab(places: Places, lab: Lab, quick: bool, out: Path) -> Document:
    """Run it; gives what was written to `out`/NAME.json. RunError where one of
    its ways did not do its work."""
    words = [str(places.built(lab.program)), "--bench", "--json"]
    if quick:
        words.append("--quick")
    failed = f"{lab.what} were not measured"
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=lab.longest, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"{failed}: {error}", place=words[0]) from error
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()[-500:]
        raise RunError(f"{failed}: {said or 'no message'}", place=words[0])
    try:
        value = json.loads(done.stdout)
        value["plumbline"] = {
            "format": 1,
            "command": f"plumbline bench {lab.option}"
            + (" --quick" if quick else ""),
        }
    except (ValueError, TypeError) as error:
        raise RunError(f"what it printed is no JSON: {error}",
                       place=words[0]) from error
    file = out / f"{lab.name}.json"
    write_whole(file, json.dumps(value, indent=1) + "\n")
    return read_document(file)
