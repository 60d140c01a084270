# SPDX-License-Identifier: MIT
"""A difference of two runs as Markdown, as one HTML page, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from plumbline.difference import GROUPS, Change, Difference
from plumbline.export._markdown import escaped

__all__ = ["diff_html", "diff_json", "diff_markdown"]


def _counts(found: Difference) -> str:
    parts = [f"{len(found.groups[name])} {name}" for name in GROUPS
             if found.groups[name]]
    return ", ".join([*parts, f"{found.same} as before"])


def diff_markdown(found: Difference) -> str:
    """A heading, then a table per group."""
    lines = [f"## {escaped(found.old.label)} → {escaped(found.new.label)}",
             "", _counts(found) + "."]
    if found.remark:
        lines += ["", escaped(found.remark)]
    for name, meaning in GROUPS.items():
        if not found.groups[name]:
            continue
        lines += ["", f"### {name} ({meaning})", "",
                  "| case | rule | verdict | what happened |",
                  "|---|---|---|---|"]
        lines += [f"| {escaped(c.id)} | {c.rule} | {c.text} "
                  f"| {escaped(c.why)} |"
                  for c in found.groups[name]]
    return "\n".join(lines) + "\n"


def _rows(changes: Sequence[Change]) -> str:
    return "".join(
        f"<tr><td>{escape(c.id)}</td><td>{escape(c.rule)}</td>"
        f"<td>{escape(c.text)}</td><td>{escape(c.why)}</td></tr>\n"
        for c in changes)


def _links(found: Difference) -> str:
    """The counts, each leading to its group."""
    parts = [f'<a href="#{name}">{len(found.groups[name])} {name}</a>'
             for name in GROUPS if found.groups[name]]
    return ", ".join([*parts, f"{found.same} as before"])


_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto;
  max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .6rem;
  text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td:nth-child(2), td:nth-child(3) { overflow-wrap: normal; }
#regressed { color: light-dark(#b42318, #ff8d80); }
#fixed { color: light-dark(#1d7a46, #6fd39a); }
a { color: light-dark(#1d4f91, #8fbcf5); }
@media (max-width: 40rem) {
  body { margin: 1rem auto; }
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: block; border-bottom: 1px solid #8886; padding: .4rem 0; }
  td { display: block; border: 0; padding: 0; }
}
""".strip()


def diff_html(found: Difference) -> str:
    """One page that needs nothing else."""
    title = escape(f"{found.old.label} → {found.new.label}")
    parts = [
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n"
        f"<main>\n<h1>{title}</h1>\n<p>{_links(found)}.</p>\n"
    ]
    if found.remark:
        parts.append(f"<p>{escape(found.remark)}</p>\n")
    parts += [
        f'<h2 id="{name}">{name} {len(found.groups[name])}</h2>\n'
        f"<p>{escape(meaning)}</p>\n<table>\n"
        "<thead><tr><th scope=\"col\">case</th><th scope=\"col\">rule</th>"
        "<th scope=\"col\">verdict</th><th scope=\"col\">what happened</th>"
        "</tr></thead>\n<tbody>\n"
        f"{_rows(found.groups[name])}</tbody></table>\n"
        for name, meaning in GROUPS.items() if found.groups[name]
    ]
    return "".join([*parts, "</main>\n</html>\n"])


def diff_json(found: Difference) -> str:
    """Groups of changes, each with both verdicts."""
    return json.dumps({
        "format": 1,
        "old": {"label": found.old.label, "suite": found.old.header.suite},
        "new": {"label": found.new.label, "suite": found.new.header.suite},
        "same": found.same,
        "groups": {
            name: [
                {"id": c.id, "old": c.old and c.old.verdict,
                 "new": c.new and c.new.verdict, "why": c.why}
                for c in changes
            ]
            for name, changes in found.groups.items()
        },
    }, ensure_ascii=False, indent=2) + "\n"
