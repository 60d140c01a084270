# SPDX-License-Identifier: MIT
"""Measuring: plans, processes, rounds, and the file that all of it ends in.

Invariant: a process is one replicate: what it measured is one number per
benchmark, the least of its samples, because what disturbs a sample only ever
adds. Everything finer is kept, as raw samples, and decides nothing.
"""

from plumbline.measure._document import (
    Document,
    Series,
    merge,
    read_document,
    write_document,
)
from plumbline.measure._machine import Noise, Watch, fingerprint, machine
from plumbline.measure._plan import Planned, calibrate, list_benchmarks
from plumbline.measure._process import Crash, Record, run_planned
from plumbline.measure._rounds import (
    Amount,
    Contender,
    Rounds,
    measure_rounds,
    spread,
)

__all__ = [
    "Amount",
    "Contender",
    "Crash",
    "Document",
    "Noise",
    "Planned",
    "Record",
    "Rounds",
    "Series",
    "Watch",
    "calibrate",
    "fingerprint",
    "list_benchmarks",
    "machine",
    "measure_rounds",
    "merge",
    "read_document",
    "run_planned",
    "spread",
    "write_document",
]
