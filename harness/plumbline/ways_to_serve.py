# SPDX-License-Identifier: MIT
"""The ways to serve side by side, measured by ref/apps/ways-to-serve, and
their table."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from plumbline.labs import WAYS_TO_SERVE, measure_lab
from plumbline.measure import Document
from plumbline.measure._document import write_whole
from plumbline.places import Places

__all__ = ["measure_ways", "ways_table"]

# What is shown: heading, counter, format.
_COLUMNS = (
    ("a second", "connections_per_second", ",.0f"),
    ("p50 µs", "p50_us", ",.0f"), ("p99 µs", "p99_us", ",.0f"),
    ("CPU ns", "cpu_ns_per_connection", ",.0f"),
    ("of the primary", "primary_cpu_ns_per_connection", ",.0f"),
    ("memory B", "memory_bytes_per_connection", ",.0f"),
    ("fairness", "fairness", ".3f"),
)


def measure_ways(places: Places, quick: bool, out: Path) -> Document:
    """Measure all ways; gives what was written to `out`/ways-to-serve.json,
    and beside it ways-to-serve.svg where pictures can be drawn."""
    from plumbline.report.performance._ways import ways_figure

    document = measure_lab(places, WAYS_TO_SERVE, quick, out)
    figure = ways_figure([document])
    if figure is not None and figure.svg:
        write_whole(out / "ways-to-serve.svg", figure.svg)
    return document


def ways_table(document: Document) -> Table:
    """A line per load, number of clients and way."""
    table = Table("load", "clients", "way")
    for heading, _, _ in _COLUMNS:
        table.add_column(heading, justify="right")
    for series in document.series.values():
        _, load, size = series.name.split("/")
        cells = [format(series.counters.get(counter, 0.0), form)
                 for _, counter, form in _COLUMNS]
        if series.error:
            cells = [series.error, *[""] * (len(_COLUMNS) - 1)]
        table.add_row(load, size.removeprefix("n:"), series.implementation,
                      *cells)
    return table
