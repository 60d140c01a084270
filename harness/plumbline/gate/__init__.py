# SPDX-License-Identifier: MIT
"""The gate: is what is here slower than a base revision?

Lanes, from the surest to the least: exact counters, instructions, time, and
latency, which only advises. Invariant: no verdict without proof: in the same
run, equal things must come out equal and a canary with 15% more work must be
called REGRESSED; else there is no measurement, whatever the numbers say.
"""

from plumbline.gate._build import Arms, build_arms
from plumbline.gate._config import Config, read_config
from plumbline.gate._exact import (
    Counters,
    Exact,
    accept,
    check_exact,
    count,
    read_baseline,
    read_waivers,
)
from plumbline.gate._instructions import Instructions, count_instructions
from plumbline.gate._latency import Latency, latencies
from plumbline.gate._result import Gate, gate_status, read_gate, write_gate
from plumbline.gate._table import gate_tables
from plumbline.gate._time import Arm, Proof, Timed, TimeLane, measure_time

__all__ = [
    "Arm",
    "Arms",
    "Config",
    "Counters",
    "Exact",
    "Gate",
    "Instructions",
    "Latency",
    "Proof",
    "TimeLane",
    "Timed",
    "accept",
    "build_arms",
    "check_exact",
    "count",
    "count_instructions",
    "gate_status",
    "gate_tables",
    "latencies",
    "measure_time",
    "read_baseline",
    "read_config",
    "read_gate",
    "read_waivers",
    "write_gate",
]
