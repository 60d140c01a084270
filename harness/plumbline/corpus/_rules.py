# SPDX-License-Identifier: MIT
"""Reads the rules out of conformance/spec/<area>.md.

    ### LOOP-CHECK-2 (MUST) One sentence that says the rule
    Any text, also several paragraphs.
    Source: where it is promised or seen.
    Since: from which version on.          (optional)
    Trait: the trait it belongs to.        (optional)

    Retired ids: LOOP-TIMER-9, LOOP-OLD-1

Every heading of the third level is a rule. An id begins with the area's
name (or its short form), is never used twice and, once retired, never again. Fenced blocks are
text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from plumbline.corpus._problems import Problems, did_you_mean, names

__all__ = ["LEVELS", "Rule", "Rules", "read_rules"]

LEVELS = ("MUST", "SHOULD", "MAY", "OBSERVED")

_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z][A-Z0-9]*)+-[1-9][0-9]*\Z")
_HEADING = re.compile(r"###\s+(?P<id>[^\s(]+)\s*"
                      r"(?:\((?P<level>[^)]*)\))?\s*(?P<title>.*)\Z")
_FIELD = re.compile(r"(Source|Since|Trait):\s*(.*)\Z")
_MISSPELT = re.compile(r"(sources?|since|traits?)\s*:", re.IGNORECASE)
_RETIRED = re.compile(r"Retired ids?:\s*(.*)\Z")
# Areas whose rules begin with a shorter name.
_PREFIXES = {"modules": "MOD"}
_SHAPE = "write `### {area}-TOPIC-1 (MUST) One sentence`"


@dataclass(frozen=True)
class Rule:
    """One rule of the specification."""

    id: str
    level: str
    title: str
    text: str
    source: str
    since: str
    trait: str
    area: str
    file: str
    line: int


@dataclass
class Rules:
    """Every rule read so far, and the ids that may never come back."""

    by_id: dict[str, Rule] = field(default_factory=dict)
    retired: dict[str, tuple[str, int]] = field(default_factory=dict)


class _Draft:
    """A rule whose lines are still coming."""

    def __init__(self, id: str, level: str, title: str, line: int) -> None:
        self.id = id
        self.level = level
        self.title = title
        self.line = line
        self.text: list[str] = []
        self.fields: dict[str, list[str]] = {}
        self.lines: dict[str, int] = {}
        self.open = ""

    def take(self, line: str) -> None:
        """A line of text; it continues an open field until an empty one."""
        if not line.strip():
            self.open = ""
        if self.open:
            self.fields[self.open].append(line.strip())
        else:
            self.text.append(line.rstrip())


class _Reader:
    def __init__(
        self, file: str, area: str, traits: Mapping[str, str],
        rules: Rules, problems: Problems,
    ) -> None:
        self.file = file
        self.area = area
        self.prefix = _PREFIXES.get(area, area.upper())
        self.traits = traits
        self.rules = rules
        self.problems = problems
        self.draft: _Draft | None = None

    def add(self, line: int, wrong: str, mend: str) -> None:
        self.problems.add(self.file, line, wrong, mend)

    def read(self, text: str) -> None:
        fenced = False
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith(("```", "~~~")):
                fenced = not fenced
            if fenced:
                if self.draft:
                    self.draft.take(line)
            elif line.startswith("#"):
                self.finish()
                if line.startswith("### "):
                    self.heading(line, number)
            elif found := _RETIRED.match(line):
                self.retire(found[1], number)
            elif self.draft:
                self.line(self.draft, line, number)
        self.finish()

    def heading(self, line: str, number: int) -> None:
        found = _HEADING.match(line)
        shape = _SHAPE.format(area=self.prefix)
        if not found:
            self.add(number, "this heading states no rule", shape)
            return
        id, level, title = found["id"], found["level"], found["title"]
        if not _ID.match(id) or not id.startswith(self.prefix + "-"):
            self.add(number, f"`{id}` is no rule id of the area "
                     f"`{self.area}`", shape)
            return
        if level not in LEVELS:
            wrong = f"unknown level `{level}`" if level else "no level"
            self.add(number, f"{wrong} in the rule {id}",
                     f"write {names(LEVELS)} in brackets after the id")
            level = "MUST"
        if not title.strip():
            self.add(number, f"the rule {id} has no sentence", shape)
        self.draft = _Draft(id, level, title.strip(), number)

    def line(self, draft: _Draft, line: str, number: int) -> None:
        found = _FIELD.match(line)
        if not found:
            if not draft.open and _MISSPELT.match(line):
                self.add(number, f"`{line.split(':')[0]}:` is no field of a "
                         "rule", "write `Source:`, `Since:` or `Trait:`")
            draft.take(line)
            return
        key, rest = found[1], found[2].strip()
        if key in draft.fields:
            self.add(number, f"`{key}:` stands twice in the rule {draft.id}",
                     "write one, separate with semicolons")
        draft.fields[key] = [rest] if rest else []
        draft.lines[key] = number
        draft.open = key

    def retire(self, text: str, number: int) -> None:
        self.finish()
        for id in re.split(r"[,\s]+", text.strip().rstrip(".")):
            if not id or id == "none":
                continue
            if _ID.match(id):
                self.rules.retired.setdefault(id, (self.file, number))
            else:
                self.add(number, f"`{id}` is no rule id",
                         "list ids, separated by commas")

    def finish(self) -> None:
        """Close the rule under way, if there is one."""
        draft, self.draft = self.draft, None
        if draft is None:
            return
        fields = {k: " ".join(v).strip() for k, v in draft.fields.items()}
        if not fields.get("Source"):
            self.add(draft.lines.get("Source", draft.line),
                     f"the rule {draft.id} has no source",
                     "add a line `Source: …` (documentation, source file and "
                     "version, or literature)")
        trait = fields.get("Trait", "")
        if trait and trait not in self.traits:
            self.add(draft.lines["Trait"], f"unknown trait `{trait}`",
                     did_you_mean(trait, self.traits, where="list it in "
                                  "conformance/schema/vocabulary"))
        earlier = self.rules.by_id.get(draft.id)
        if earlier:
            self.add(draft.line, f"the rule {draft.id} stands already in "
                     f"{earlier.file}:{earlier.line}", "take a new number")
            return
        self.rules.by_id[draft.id] = Rule(
            id=draft.id, level=draft.level, title=draft.title,
            text="\n".join(draft.text).strip(),
            source=fields.get("Source", ""), since=fields.get("Since", ""),
            trait=trait, area=self.area, file=self.file, line=draft.line,
        )


def _check_retired(rules: Rules, problems: Problems) -> None:
    for id, (file, line) in rules.retired.items():
        rule = rules.by_id.get(id)
        if rule:
            problems.add(rule.file, rule.line, f"the rule id {id} was retired "
                         f"in {file}:{line} and may not come back",
                         "take a new number")


def read_rules(
    files: Mapping[str, bytes], traits: Mapping[str, str], problems: Problems
) -> Rules:
    """The rules of `files`, from a path below the root to its bytes. The
    area is the file's name without the suffix."""
    rules = Rules()
    for file, data in files.items():
        area = file.rsplit("/", 1)[-1].removesuffix(".md")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            problems.add(file, data.count(b"\n", 0, error.start) + 1,
                         "not UTF-8", "save the file as UTF-8")
            continue
        _Reader(file, area, traits, rules, problems).read(text)
    _check_retired(rules, problems)
    return rules
