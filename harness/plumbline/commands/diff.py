# SPDX-License-Identifier: MIT
"""`plumbline diff`: what changed between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.completing import complete_cases, complete_sides
from plumbline.errors import UsageError

if TYPE_CHECKING:
    from plumbline.difference import Change, Difference
    from plumbline.places import Places
    from plumbline.results import Results

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline diff old/node-20.20.2.jsonl out/results/node-20.20.2.jsonl
  plumbline diff node@20 node@22               both are judged now
  plumbline diff old.jsonl ref --select loop
  plumbline diff old.jsonl new.jsonl --format markdown --output diff.md
\b
Exit status: 0 no case got worse, 1 one did, 2 usage or broken input.
"""

_SHOWN = 20  # changes of a group in the terminal


@click.command("diff", epilog=_EPILOG)
@click.argument("old", shell_complete=complete_sides)
@click.argument("new", shell_complete=complete_sides)
@click.option("--format", "kind", default="text", metavar="FORMAT",
              type=click.Choice(["text", "markdown", "html", "json"]),
              help="text, markdown, html or json.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write it there instead of to stdout.")
@click.option("--select", multiple=True, metavar="GLOB",
              shell_complete=complete_cases,
              help="Only these cases: glob, subtree or rule id.")
@click.option("--all", "everything", is_flag=True,
              help=f"Show more than {_SHOWN} changes of a group.")
def command(
    old: str, new: str, kind: str, output: Path | None,
    select: tuple[str, ...], everything: bool,
) -> int:
    """Tell what changed from OLD to NEW.

    Each is a results file, or an implementation (node@22), which is judged
    now. Regressions, fixes, new and removed cases, changed capabilities and
    flaky cases are told apart.
    """
    from plumbline.difference import difference
    from plumbline.export import diff_html, diff_json, diff_markdown
    from plumbline.places import find_places

    places = find_places()
    if select:
        from plumbline.catalog import must_select, read_catalog

        must_select(read_catalog(places.corpus, places.rules), select)
    sides = [_side(places, word, select) for word in (old, new)]
    if select:
        sides = [_only(side, select) for side in sides]
    found = difference(sides[0], sides[1])
    if kind == "text" and output is None:
        _print(found, everything)
    else:
        writers = {"markdown": diff_markdown, "html": diff_html,
                   "json": diff_json, "text": diff_markdown}
        _write(writers[kind](found), output)
    return 1 if found.regressed else 0


def _side(places: Places, word: str, select: tuple[str, ...]) -> Results:
    from plumbline.results import read_results

    path = Path(word)
    if path.suffix == ".jsonl" or path.is_file():
        return read_results(path)
    from plumbline.judge import Request, judge
    from plumbline.registry import read_registry, resolve_all
    from plumbline.terminal import bars

    targets = resolve_all(read_registry(places), [word])
    if len(targets) != 1:
        names = " and ".join(t.title for t in targets) or "nothing"
        raise UsageError(
            f"'{word}' is {names}, and a side is one implementation",
            remedy="add its version, as in node@22, or name a results file")
    with bars() as make:
        # Beside out/results: a few cases must not take the place of a run.
        outcome = judge(places, targets[0], Request(select),
                        places.out / "diff", make(targets[0].title))
    if outcome.results is None or not outcome.results.complete:
        raise UsageError(f"{targets[0].title} could not be judged",
                         remedy=outcome.message or "see above")
    return outcome.results


def _only(side: Results, select: tuple[str, ...]) -> Results:
    """The chosen cases of a file that may have more."""
    from dataclasses import replace
    from fnmatch import fnmatchcase

    cases = {
        id: case for id, case in side.cases.items()
        if any(fnmatchcase(id, s) or id.startswith(s.rstrip("/") + "/")
               or case.rule == s for s in select)
    }
    if not cases:
        raise UsageError(f"no case of {side.path} is selected",
                         remedy="look at the ids with:  plumbline list")
    return replace(side, cases=cases)


def _write(text: str, output: Path | None) -> None:
    from plumbline.export import write_text

    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)


def _print(found: Difference, everything: bool) -> None:
    from rich.text import Text

    from plumbline.difference import GROUPS
    from plumbline.terminal import output

    console = output()
    console.print(Text.assemble((found.old.label, "bold"), " → ",
                                (found.new.label, "bold")))
    if found.remark:
        console.print(Text(found.remark, "yellow"))
    styles = {"regressed": "bold red", "fixed": "green", "flaky": "yellow"}
    for name, meaning in GROUPS.items():
        changes = found.groups[name]
        if not changes:
            continue
        console.print(Text.assemble(
            "\n", (f"{name} {len(changes)}", styles.get(name, "bold")),
            (f"  {meaning}", "dim")))
        shown = changes if everything else changes[:_SHOWN]
        for change in shown:
            console.print(_line(change), soft_wrap=True)
        if len(shown) < len(changes):
            console.print(f"  … and {len(changes) - len(shown)} more: --all")
    console.print(f"\n{found.same} cases as before", style="dim")


def _line(change: Change) -> object:
    from rich.text import Text

    line = Text.assemble("  ", change.id, (f"  {change.text}", "dim"))
    if change.why and change.new and change.new.verdict != "pass":
        line.append(f": {change.why}", style="dim")
    return line
