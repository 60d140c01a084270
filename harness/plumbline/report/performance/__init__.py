# SPDX-License-Identifier: MIT
"""The report's page about speed: what the gate said, how times grow with
size, how long pauses are, and how all of it went over time.

Invariant: a picture is the same bytes for the same data, is readable in dark
and in light, and stands beside words that say what it shows, the command that
measured it, and its data.
"""

from plumbline.report.performance._page import write_performance
from plumbline.report.performance._sources import Sources, find_sources

__all__ = ["Sources", "find_sources", "write_performance"]
