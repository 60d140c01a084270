# SPDX-License-Identifier: MIT
"""The five I/O models side by side, measured by ref/apps/io-models.

The program measures and prints google-benchmark JSON in which a model stands
where an implementation does; so the tables and pictures of benchmarks serve.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from plumbline.errors import RunError
from plumbline.measure import Document, read_document
from plumbline.measure._document import write_whole
from plumbline.places import Places

__all__ = ["measure_io_models"]

_PROGRAM = "ref/apps/io-models/plumb-io-models"
_LONGEST = 120  # seconds; it ends within 60 by itself


def measure_io_models(places: Places, quick: bool, out: Path) -> Document:
    """Measure N = 1 to 10,000 descriptors; gives what was written to
    `out`/io-models.json. RunError where a model did not do its work."""
    words = [str(places.built(_PROGRAM)), "--bench", "--json"]
    if quick:
        words.append("--quick")
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=_LONGEST, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"the models were not measured: {error}",
                       place=words[0]) from error
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()[-500:]
        raise RunError(f"the models were not measured: {said or 'no message'}",
                       place=words[0])
    try:
        value = json.loads(done.stdout)
        value["plumbline"] = {
            "format": 1,
            "command": "plumbline bench --io-models"
            + (" --quick" if quick else ""),
        }
    except (ValueError, TypeError) as error:
        raise RunError(f"what it printed is no JSON: {error}",
                       place=words[0]) from error
    file = out / "io-models.json"
    write_whole(file, json.dumps(value, indent=1) + "\n")
    return read_document(file)
