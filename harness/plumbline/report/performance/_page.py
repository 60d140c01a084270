# SPDX-License-Identifier: MIT
"""performance.html: the verdict, the pictures, and files with their data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Any

import markupsafe

from plumbline.compare import show_time
from plumbline.errors import ReportError
from plumbline.places import Places
from plumbline.report._write import environment
from plumbline.report.performance._figure import Figure, available
from plumbline.report.performance._history import histories
from plumbline.report.performance._latency import latency_figures, lines_of
from plumbline.report.performance._leaks import leak_figures
from plumbline.report.performance._sizes import throughputs
from plumbline.report.performance._ways import ways_figure
from plumbline.report.performance._sources import Sources
from plumbline.report.performance._verdict import forest, paired
from plumbline.verdicts import percent

__all__ = ["write_performance"]

_WORDS = {0: ("good", "Nothing is slower"), 3: ("bad", "Slower than the base"),
          4: ("odd", "Not to be told"), 5: ("bad", "No valid measurement")}


def _share(value: float | None) -> str:
    return "?" if value is None or not isfinite(value) else percent(value)


def _verdict(gate: Mapping[str, Any]) -> dict[str, Any]:
    """The banner: one sentence, and how small a change it would have seen."""
    kind, words = _WORDS[gate["status"]]
    seen = [t["detectable"] for t in gate["time"]
            if t["detectable"] is not None]
    return {
        "kind": kind,
        "words": words if gate["complete"] else f"Interrupted. {words}",
        "counts": _counts(gate),
        "detectable": (f"{100 * min(seen):.0f}% to {100 * max(seen):.0f}%"
                       if seen else ""),
        "gate": gate,
        "rows": [_row(t) for t in gate["time"]],
        "explained": _explained(gate),
    }


def _counts(gate: Mapping[str, Any]) -> str:
    verdicts = [t["change"]["verdict"] if t["change"] else "not measured"
                for t in gate["time"]]
    return ", ".join(f"{verdicts.count(v)} {v}"
                     for v in dict.fromkeys(sorted(verdicts)))


def _row(timed: Mapping[str, Any]) -> dict[str, str]:
    change = timed["change"]
    return {
        "name": timed["name"],
        "before": show_time(timed["before"]) if timed["before"] else "",
        "after": show_time(timed["after"]) if timed["after"] else "",
        "change": (f"{_share(change['estimate'])} [{_share(change['lower'])},"
                   f" {_share(change['upper'])}]" if change else ""),
        "sees": (f"{100 * timed['detectable']:.0f}%"
                 if timed["detectable"] is not None else ""),
        "verdict": change["verdict"] if change else "",
        "problem": timed["problem"] or "",
    }


def _explained(gate: Mapping[str, Any]) -> list[dict[str, str]]:
    """What moved besides the time: counters and instructions that are not
    what they were, beside the time's change of the same benchmark."""
    times = {t["name"]: _share(t["change"]["estimate"])
             for t in gate["time"] if t["change"]}
    found = []
    for line in (gate["exact"] or {}).get("lines", ()):
        if line["kind"] in ("more", "less", "waived"):
            found.append({
                "name": line["benchmark"], "what": line["counter"],
                "before": f"{line['accepted']:,g}",
                "after": f"{line['now']:,g}",
                "kind": line["kind"] + (f": {line['note']}"
                                        if line["note"] else ""),
                "time": times.get(line["benchmark"], "")})
    for one in gate["instructions"] or ():
        if one["change"] and abs(one["change"]) > 0.001:
            found.append({
                "name": one["name"], "what": "instructions",
                "before": f"{one['before']:,}", "after": f"{one['after']:,}",
                "kind": one["problem"] or _share(one["change"]),
                "time": times.get(one["name"], "")})
    return found


def _sections(sources: Sources) -> list[dict[str, Any]]:
    sections: list[dict[str, Any]] = []

    def add(name: str, title: str, figures: Sequence[Figure | None]) -> None:
        shown = [one for one in figures if one is not None]
        if shown:
            sections.append({"id": name, "title": title, "figures": shown})

    if sources.gate:
        add("gate", "The gate's evidence",
            [forest(sources.gate), paired(sources.gate)])
    command = next((d.command for d in sources.documents if d.command), "")
    add("sizes", "Throughput by size",
        throughputs(sources.documents, command))
    add("ways", "Ways to serve", [ways_figure(sources.documents)])
    add("pauses", "Pauses", [
        latency_figures(lines, number) for number, lines in enumerate(
            lines_of(sources.documents, sources.gate))])
    add("leaks", "Leaks", leak_figures(sources.leaks))
    add("history", "History", histories(sources.tracks))
    return sections


def _files(folder: Path, sections: Sequence[Mapping[str, Any]]) -> None:
    """The pictures and their data, beside the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for one in section["figures"]:
            text = json.dumps(one.data, indent=1, allow_nan=False,
                              default=str)
            (folder / f"{one.name}.json").write_text(text + "\n",
                                                     encoding="utf-8")
            if one.svg:
                head, _, rest = one.svg.partition(" ")
                (folder / f"{one.name}.svg").write_text(
                    f'{head} xmlns="http://www.w3.org/2000/svg" {rest}'
                    if "xmlns=" not in one.svg.partition(">")[0]
                    else one.svg, encoding="utf-8")


def write_performance(
    folder: Path, places: Places, sources: Sources, made: str | None = None
) -> Path:
    """Write performance.html and its files; gives the page."""
    if sources.empty:
        raise ReportError("there are no measurements to report",
                          remedy="make some with:  plumbline bench")
    sections = _sections(sources)
    noise = [
        {"file": d.path.name, "command": d.command,
         "machine": ", ".join(f"{k} {v}" for k, v in d.machine.items()),
         "noise": ", ".join(f"{k} {v}" for k, v in d.noise.items()
                            if v is not None)}
        for d in sources.documents
    ]
    page = environment(places).get_template("performance.html").render(
        made=made or datetime.now(timezone.utc).strftime(
            "%Y-%m-%d %H:%M UTC"),
        verdict=_verdict(sources.gate) if sources.gate else None,
        sections=sections, noise=noise, pictures=available(),
        problems=sources.problems,
        svg=lambda figure: markupsafe.Markup(figure.svg),
    )
    try:
        _files(folder / "performance", sections)
        for name in ("report.css", "performance.css", "performance.js"):
            shutil.copyfile(places.root / "reports/templates" / name,
                            folder / name)
        path = folder / "performance.html"
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"the report cannot be written: {error.strerror}",
            place=str(error.filename or folder),
            remedy="give another folder with --out FOLDER") from error
    return path
