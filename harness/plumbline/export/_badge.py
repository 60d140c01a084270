# SPDX-License-Identifier: MIT
"""An SVG badge of one implementation: how many of the cases it passes."""

from __future__ import annotations

from html import escape

from plumbline.results import Results
from plumbline.summary import tally

__all__ = ["badge"]

_CHAR = 6.6  # units that a character of 11 px Verdana takes on the average
_PAD = 10.0


def badge(results: Results) -> str:
    """Its picture; the same results give the same bytes."""
    count = tally(results.cases.values())
    name = f"plumbline · {results.label}"
    value = f"{count.passed}/{count.counted}"
    colour = "#2f7d32"
    if count.unexpected:
        value += f", {count.unexpected} unexpected"
        colour = "#b3261e"
    left = round(len(name) * _CHAR + 2 * _PAD)
    right = round(len(value) * _CHAR + 2 * _PAD)
    said = escape(f"{name}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" '
        f'height="20" role="img" aria-label="{said}">'
        f"<title>{said}</title>"
        f'<rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" '
        'font-size="11" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14">{escape(name)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{escape(value)}</text>'
        "</g></svg>\n"
    )
