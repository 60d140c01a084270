# SPDX-License-Identifier: MIT
"""Statistics of measurements: every formula that the suite uses, once.

Invariant: pure functions of numbers; nothing here knows what a benchmark is,
reads a clock, or draws a random number.
"""

from plumbline.stats._histogram import Histogram
from plumbline.stats._mutator import Pauses, mmu
from plumbline.stats._order import holm, median
from plumbline.stats._shift import Shift, paired_shift, two_sample_shift
from plumbline.stats._steps import Segment, segments

__all__ = [
    "Histogram",
    "Pauses",
    "Segment",
    "Shift",
    "holm",
    "median",
    "mmu",
    "paired_shift",
    "segments",
    "two_sample_shift",
]
