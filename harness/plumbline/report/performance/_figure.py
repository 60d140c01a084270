# SPDX-License-Identifier: MIT
"""From matplotlib to an SVG that belongs into a page.

Colours are drawn as placeholders and become CSS variables with a fallback, so
that one picture serves dark, light, and a file of its own. Text stays text.

Invariant: the same drawing gives the same bytes: ids are salted with the
picture's name, and no date is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

__all__ = [
    "Figure", "MARKERS", "SERIES", "available", "colour", "draw", "legend",
]

# name of a CSS variable: (placeholder, fallback)
_COLOURS = {
    "ink": ("#010101", "#1d2330"), "soft": ("#010102", "#5c6475"),
    "rule": ("#010103", "#c9c5ba"), "card": ("#010104", "#ffffff"),
    "pass": ("#010105", "#1d7a46"), "bad": ("#010106", "#b42318"),
    "known": ("#010107", "#8a5a00"), "info": ("#010108", "#1f5fa8"),
    "odd": ("#010109", "#6b3fa0"), "s1": ("#01010a", "#1f5fa8"),
    "s2": ("#01010b", "#b4531a"), "s3": ("#01010c", "#1d7a46"),
    "s4": ("#01010d", "#6b3fa0"), "s5": ("#01010e", "#a8174f"),
    "s6": ("#01010f", "#00727a"),
}
SERIES = ("s1", "s2", "s3", "s4", "s5", "s6")
MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class Figure:
    """A picture and what stands beside it."""

    name: str
    title: str
    text: str  # what it shows, in words
    svg: str  # empty where there is no matplotlib
    command: str
    data: Any


def colour(name: str) -> str:
    """The placeholder of a colour."""
    return _COLOURS[name][0]


def available() -> bool:
    """Whether pictures can be drawn."""
    try:
        import matplotlib  # type: ignore[import]  # noqa: F401
    except ImportError:
        return False
    return True


def draw(
    name: str, title: str, text: str, command: str, data: Any,
    paint: Callable[[Any], None], width: float = 8.0, height: float = 4.0,
) -> Figure:
    """A figure; `paint` gets matplotlib's, in the report's style."""
    svg = _svg(name, title, text, paint, width, height) if available() else ""
    return Figure(name, title, text, svg, command, data)


def legend(figure: Any, panels: Any) -> None:
    """One legend for all panels, below them."""
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            found.setdefault(label, handle)
    room = 0.32 / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, room, 1, 1 - room))
    figure.legend(found.values(), found.keys(), loc="lower center",
                  ncol=min(6, max(1, len(found))), fontsize=8)


def _style(name: str) -> dict[str, Any]:
    ink, soft, rule = colour("ink"), colour("soft"), colour("rule")
    return {
        "svg.hashsalt": name, "svg.fonttype": "none",
        "font.family": "DejaVu Sans", "font.size": 9,
        "figure.facecolor": "none", "axes.facecolor": "none",
        "savefig.facecolor": "none", "text.color": ink,
        "axes.edgecolor": rule, "axes.labelcolor": soft,
        "xtick.color": soft, "ytick.color": soft, "axes.titlesize": 9,
        "axes.titlecolor": ink, "axes.spines.top": False,
        "axes.spines.right": False, "grid.color": rule,
        "grid.linewidth": 0.6, "legend.frameon": False,
        "lines.linewidth": 1.6, "lines.markersize": 4.5,
        "path.simplify": False,
    }


def _svg(
    name: str, title: str, text: str, paint: Callable[[Any], None],
    width: float, height: float,
) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import (  # type: ignore[import]
        FigureCanvasSVG,
    )
    from matplotlib.figure import Figure as Drawing  # type: ignore[import]

    out = StringIO()
    with rc_context(_style(name)):
        drawing = Drawing(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(drawing)
        paint(drawing)
        drawing.savefig(out, format="svg", metadata={
            "Date": None, "Creator": None, "Format": None, "Type": None})
    return _dressed(out.getvalue(), name, title, text)


def _dressed(svg: str, name: str, title: str, text: str) -> str:
    """Without a prologue, with words, and with the page's colours."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # A style sheet of its own would be one for the whole page.
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg,
                 count=1, flags=re.DOTALL)
    for variable, (placeholder, fallback) in _COLOURS.items():
        svg = svg.replace(placeholder, f"var(--{variable},{fallback})")
    head, _, rest = svg.partition(">")
    # Its own ids must not meet those of another picture on the page.
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    label = (f' role="img" aria-labelledby="{name}-t {name}-d">'
             f'<title id="{name}-t">{escape(title)}</title>'
             f'<desc id="{name}-d">{escape(text)}</desc>')
    rest = re.sub(r'id="((?:figure|axes|patch|line2d|text|matplotlib|xtick|'
                  r'ytick|legend|PathCollection|LineCollection|'
                  r'PolyCollection|FillBetweenPolyCollection)[^"]*)"',
                  rf'id="{name}-\1"', rest)
    return head + label + rest
