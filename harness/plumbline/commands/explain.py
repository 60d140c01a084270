# SPDX-License-Identifier: MIT
"""`plumbline explain`: everything about one case, rule, operation, trait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from plumbline.completing import complete_cases
from plumbline.errors import ResultsError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from plumbline.catalog import Case, Catalog, Rule
    from plumbline.places import Places
    from plumbline.results import CaseResult, Results
    from plumbline.vocabulary import Vocabulary

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline explain loop/timeouts/two-intervals-take-turns
  plumbline explain two-intervals-take-turns       or by its short id
  plumbline explain LOOP-CHECK-2                   a rule
  plumbline explain async.send                     an operation
  plumbline explain timers-after-poll              a trait
  plumbline explain loop.timer                     a capability
"""


@click.command("explain", epilog=_EPILOG)
@click.argument("name", metavar="ID", shell_complete=complete_cases)
def command(name: str) -> int:
    """Explain a case, a rule, an operation, a trait or a capability.

    A case: its rule, program, expectation, and what each implementation did
    the last time it was run.
    """
    from plumbline.catalog import read_catalog
    from plumbline.places import find_places
    from plumbline.terminal import output
    from plumbline.vocabulary import read_vocabulary

    places = find_places()
    catalog = read_catalog(places.corpus, places.rules)
    console = output()
    cases = _find(catalog, name)
    if cases:
        for case in cases:
            _case(console, places, catalog, case)
        return 0
    if name in catalog.rules:
        _rule(console, catalog, catalog.rules[name])
        return 0
    words = read_vocabulary(places.vocabulary)
    if not _word(console, catalog, words, name):
        raise _unknown(catalog, words, name)
    return 0


def _find(catalog: Catalog, name: str) -> list[Case]:
    """The case of that id, or those of that short id."""
    if name in catalog.cases:
        return [catalog.cases[name]]
    return [case for case in catalog.cases.values() if case.short == name]


def _unknown(catalog: Catalog, words: Vocabulary, name: str) -> UsageError:
    from difflib import get_close_matches

    known = [
        *catalog.cases, *(c.short for c in catalog.cases.values()),
        *catalog.rules, *words.operations, *words.traits, *words.capabilities,
    ]
    near = list(dict.fromkeys(get_close_matches(name, known, n=3)))
    hint = f"did you mean {' or '.join(near)}?" if near else (
        "see:  plumbline list cases | rules | operations"
    )
    return UsageError(
        f"nothing is called '{name}': no case, rule, operation, trait or "
        "capability", remedy=hint)


def _heading(console: Console, text: str) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(text, style="bold underline"))


def _plain(console: Console, text: str, indent: int = 2) -> None:
    """Prose, wrapped where it must be."""
    from textwrap import wrap

    for line in text.splitlines():
        for part in wrap(line, max(20, console.width - indent)) or [""]:
            _code(console, part, indent)


def _code(console: Console, text: str, indent: int = 2) -> None:
    """Text that keeps its lines."""
    from rich.text import Text

    for line in text.splitlines():
        console.print(Text(" " * indent + line), soft_wrap=True)


def _rule_lines(console: Console, rule: Rule) -> None:
    from rich.text import Text

    console.print(Text.assemble(
        (rule.id, "bold"), f" ({rule.level}) ", rule.title
    ))
    if rule.text:
        _plain(console, rule.text)
    if rule.source:
        _plain(console, f"Source: {rule.source}")
    if rule.since:
        _plain(console, f"Since: {rule.since}")
    _plain(console, f"{rule.file}:{rule.line}")


def _rule(console: Console, catalog: Catalog, rule: Rule) -> None:
    _rule_lines(console, rule)
    _heading(console, "Cases")
    for case in catalog.of_rule(rule.id):
        _plain(console, case.id)


def _case(
    console: Console, places: Places, catalog: Catalog, case: Case
) -> None:
    from rich.text import Text

    from plumbline.corpus import pattern_to_text, program_to_js
    from plumbline.described import program_text

    console.print(Text(case.id, style="bold"))
    if case.claim:
        _plain(console, case.claim)
    facts = [f"{case.file}:{case.line}"]
    if case.needs:
        facts.append("needs " + ", ".join(case.needs))
    if case.runs > 1:
        facts.append(f"runs {case.runs} times (litmus test)")
    if case.raw.get("isolation") == "process":
        facts.append("in a process of its own")
    for fact in facts:
        _plain(console, fact)
    _heading(console, "Rule")
    if case.rule in catalog.rules:
        _rule_lines(console, catalog.rules[case.rule])
    _heading(console, "Program")
    _code(console, program_text(case.raw))
    _heading(console, "Program, as JavaScript")
    _code(console, program_to_js(case.raw["program"]))
    _heading(console, "Expectation")
    _code(console, pattern_to_text(case.raw["expect"]))
    for item in case.raw.get("by_trait") or []:
        _heading(console, f"Expectation with the trait {item['trait']}")
        _code(console, pattern_to_text(item["expect"]))
    _heading(console, "What implementations last did")
    _last(console, places, case)


def _last(console: Console, places: Places, case: Case) -> None:
    from plumbline.commands.report import saved_results
    from plumbline.results import read_results

    shown = False
    for path in saved_results(places.results):
        try:
            results = read_results(path)
        except ResultsError as error:
            click.echo(f"left out: {error}", err=True)
            continue
        if case.id in results.cases:
            _did(console, results, results.cases[case.id])
            shown = True
    if not shown:
        _plain(console, "nothing yet; make results with:  plumbline run "
               f"--select {case.id}")


def _did(console: Console, results: Results, case: CaseResult) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from plumbline.judge import reproduce
    from plumbline.results import show_event

    style = "bold red" if case.unexpected else (
        "green" if case.verdict == "pass" else "yellow"
    )
    head = Text.assemble((f"{results.label}: ", "bold"),
                         (case.verdict, style))
    if case.expected != ("pass",):
        head.append(f" (expected: {' or '.join(case.expected)})")
    if case.reason:
        head.append(f", {case.reason}")
    console.print(Padding(head, (0, 0, 0, 2), expand=False))
    if case.explanation:
        _plain(console, case.explanation.summary, 4)
    for trace in case.traces[:6]:
        mark = "allowed" if trace.allowed else "forbidden"
        times = f"{trace.count} × {mark}: " if (
            case.runs > 1 or not trace.allowed) else ""
        events = "  ".join(map(show_event, trace.events)) or "(no event)"
        _plain(console, times + events, 4)
    hidden = len(case.traces) - 6 + case.more_traces
    if hidden > 0:
        _plain(console, f"… and {hidden} more distinct traces", 4)
    for text in (case.detail, case.stderr if case.verdict != "pass" else None):
        if text:
            _plain(console, text.strip(), 4)
    if case.unexpected:
        who = results.header.implementation
        spec = who.name if who.name in ("ref", "libuv") else (
            f"{who.name}@{who.version}"
        )
        _plain(console, f"again: {reproduce(spec, case.id)}", 4)


def _word(
    console: Console, catalog: Catalog, words: Vocabulary, name: str
) -> bool:
    """An operation, a trait, a capability or a value."""
    from rich.text import Text

    for kind, table in (
        ("trait", words.traits),
        ("capability", words.capabilities),
        ("value", words.values),
    ):
        if name in table:
            console.print(Text.assemble((name, "bold"), f" ({kind})"))
            _plain(console, table[name])
            _uses(console, catalog, kind, name)
            return True
    operation = words.operations.get(name)
    if operation is None:
        return False
    console.print(Text.assemble((name, "bold"), " (operation)"))
    _plain(console, operation.doc)
    if operation.capability:
        _plain(console, f"needs {operation.capability}")
    if operation.callback:
        _plain(console, "has a callback: then, or each")
    if operation.id:
        _plain(console, f"id: {operation.id}")
    _arguments(console, operation.args)
    _uses(console, catalog, "operation", name)
    return True


def _arguments(console: Console, args: object) -> None:
    import json

    if not isinstance(args, dict) or not args:
        return
    _heading(console, "Arguments")
    required = args.get("required") or ()
    properties = args.get("properties")
    if not isinstance(properties, dict):
        _plain(console, json.dumps(args))
        return
    for key, value in properties.items():
        must = " (required)" if key in required else ""
        _plain(console, f"{key}{must}: {json.dumps(value)}")


def _uses(console: Console, catalog: Catalog, kind: str, name: str) -> None:
    """Which cases use the word."""
    import json

    def used(case: Case) -> bool:
        raw = case.raw
        if kind == "capability":
            return name in case.needs
        if kind == "trait":
            return name in (raw.get("traits") or ()) or name in (
                raw.get("without") or ()
            ) or any(i["trait"] == name for i in raw.get("by_trait") or ())
        key = f'"{name}":' if kind == "operation" else f'"{name}"'
        return key in json.dumps(raw["program"])

    cases: Sequence[Case] = [c for c in catalog.cases.values() if used(c)]
    _heading(console, f"Cases ({len(cases)})")
    for case in cases[:15]:
        _plain(console, case.id)
    if len(cases) > 15:
        _plain(console, f"… and {len(cases) - 15} more")
