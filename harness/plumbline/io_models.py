# SPDX-License-Identifier: MIT
"""The five I/O models side by side, measured by ref/apps/io-models."""

from __future__ import annotations

from pathlib import Path

from plumbline.labs import IO_MODELS, measure_lab
from plumbline.measure import Document
from plumbline.places import Places

__all__ = ["measure_io_models"]


def measure_io_models(places: Places, quick: bool, out: Path) -> Document:
    """Measure N = 1 to 10,000 descriptors; gives what was written to
    `out`/io-models.json. RunError where a model did not do its work."""
    return measure_lab(places, IO_MODELS, quick, out)
