# SPDX-License-Identifier: MIT
"""Writes the report's folder from the templates in reports/templates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
import markupsafe

from plumbline.catalog import Catalog
from plumbline.errors import ReportError
from plumbline.places import Places
from plumbline.registry import Target, read_registry
from plumbline.report._data import page_data
from plumbline.report._coverage import coverage, kills_of
from plumbline.report._overview import KINDS, overview
from plumbline.report._pack import pack
from plumbline.results import Results
from plumbline.summary import MARKS

__all__ = ["embed", "write_report"]

# In the order in which the page loads them.
SCRIPTS = ("dom.js", "matrix.js", "trace.js", "panel.js", "report.js")
_ASSETS = ("report.css", *SCRIPTS)


def embed(value: object) -> str:
    """JSON that may stand in a <script> element: it holds no `<`, and no
    line separator that older readers take for a line's end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _address(**filters: str) -> str:
    """The hash of the page with these filters, as report.js reads it."""
    return urlencode({key: value for key, value in filters.items() if value})


def _marked(text: str) -> markupsafe.Markup:
    """Text in which `this` becomes code, as dom.js does it."""
    return markupsafe.Markup("").join(
        markupsafe.Markup("<code>{}</code>").format(part) if n % 2 else
        markupsafe.escape(part) for n, part in enumerate(text.split("`")))


def _again(places: Places, results: Results, target: Target | None) -> str:
    """The command, up to the case's id, that runs a case again."""
    from plumbline.judge import reproduce

    if target is not None:
        return reproduce(target, "")
    who = results.header.implementation
    entry = read_registry(places).entries.get(who.name)
    if entry is None:
        return f"./plumbline run --adapter CMD --name {results.label} --select "
    provided = entry.provider is not None
    return reproduce(who.name if provided else f"{who.name}@{who.version}", "")


def _context(
    catalog: Catalog,
    all_results: Sequence[Results],
    places: Places,
    targets: Mapping[str, Target],
) -> dict[str, Any]:
    again = {
        r.label: _again(places, r, targets.get(r.label)) for r in all_results
    }
    kills = kills_of(places.mutants)
    data = page_data(catalog, all_results, again, kills)
    return {
        "suite": catalog.suite,
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "implementations": data["implementations"],
        "lines": overview(all_results),
        "coverage": coverage(catalog, kills),
        "shown_rules": set(data["rules"]),
        "scripts": SCRIPTS,
        "kinds": KINDS,
        "marks": data["marks"],
        "choices": {
            "unexpected": "unexpected",
            "disagree": "implementations disagree",
            "known": KINDS["known"],
            **{name: name for name in MARKS},
            "absent": KINDS["absent"],
        },
        "cases": len(data["cases"]),
        "rules": len(data["rules"]),
        # Marked as safe here and in _marked() alone: embed() made it so.
        "data": markupsafe.Markup(embed(pack(data))),
    }


def environment(places: Places) -> jinja2.Environment:
    """The templates, with escaping on and undefined names refused."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(places.root / "reports/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["address"] = _address
    made.filters["marked"] = _marked
    return made


def write_report(
    catalog: Catalog,
    all_results: Sequence[Results],
    folder: Path,
    places: Places,
    targets: Mapping[str, Target] | None = None,
) -> Path:
    """Write the folder; gives the page to open. ReportError where the
    results do not belong to this corpus or the folder cannot be written."""
    for results in all_results:
        if results.header.suite != catalog.suite:
            raise ReportError(
                f"made with suite {results.header.suite}, but the corpus "
                f"here is {catalog.suite}",
                place=str(results.path),
                remedy="run that implementation again",
            )
    context = _context(catalog, all_results, places, targets or {})
    # The page about speed is written before this one, or is not there.
    context["performance"] = (folder / "performance.html").exists()
    page = environment(places).get_template("index.html").render(context)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ASSETS:
            shutil.copyfile(places.root / "reports/templates" / name,
                            folder / name)
        index = folder / "index.html"
        index.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"the report cannot be written: {error.strerror}",
            place=str(error.filename or folder),
            remedy="give another folder with --out FOLDER",
        ) from error
    return index
