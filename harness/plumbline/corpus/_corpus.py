# SPDX-License-Identifier: MIT
"""The whole corpus: finds its files, reads them, checks what spans files.

Files are read in the order of their paths and cases keep their order, so the
same sources always make the same corpus.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plumbline.corpus._cases import Case, CaseReader
from plumbline.corpus._expectations import Expectation, read_expectations
from plumbline.corpus._problems import Problems
from plumbline.corpus._rules import Rules, read_rules
from plumbline.corpus._vocabulary import (
    VOCABULARY,
    Vocabulary,
    read_vocabulary,
)
from plumbline.errors import CorpusError

__all__ = ["Corpus", "load", "load_rules", "load_vocabulary"]

SPEC = "conformance/spec"
CASES = "conformance/cases"
EXPECTATIONS = "conformance/expectations"
# Pages of the spec folder that state no rules.
_NO_RULES = ("README.md", "literature.md", "vocabulary.md")


@dataclass(frozen=True)
class Corpus:
    """Everything that was read, and everything that is wrong with it."""

    vocabulary: Vocabulary
    rules: Rules
    cases: list[Case]
    expectations: dict[str, list[Expectation]]
    problems: Problems
    # What the corpus was made from: files, and the folders whose entries
    # decide which files there are. Paths below the root.
    sources: list[str]


def _bytes(root: Path, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"cannot be read: {error.strerror}",
            place=str(path.relative_to(root)),
        ) from error


def _folder(root: Path, name: str) -> list[Path]:
    """The entries of a folder, sorted; none where there is no such folder."""
    try:
        return sorted((root / name).iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorpusError(f"cannot be read: {error.strerror}",
                          place=name) from error


class _Files:
    """Finds the sources and remembers them."""

    def __init__(self, root: Path, problems: Problems) -> None:
        self.root = root
        self.problems = problems
        self.sources: list[str] = []

    def read(self, path: Path) -> bytes:
        name = path.relative_to(self.root).as_posix()
        self.sources.append(name)
        return _bytes(self.root, path)

    def of(self, folder: str, suffix: str) -> dict[str, bytes]:
        """The files of a folder with that suffix."""
        if (self.root / folder).is_dir():
            self.sources.append(folder)
        return {
            path.relative_to(self.root).as_posix(): self.read(path)
            for path in _folder(self.root, folder)
            if path.suffix == suffix and path.is_file()
            and not path.name.startswith(".") and path.name not in _NO_RULES
        }

    def cases(self) -> dict[str, tuple[str, bytes]]:
        """Area and bytes of each case file."""
        result: dict[str, tuple[str, bytes]] = {}
        if (self.root / CASES).is_dir():
            self.sources.append(CASES)
        for path in _folder(self.root, CASES):
            name = path.relative_to(self.root).as_posix()
            if path.is_dir() and not path.name.startswith((".", "_")):
                self.misnamed(path)
                for file, data in self.of(name, ".yaml").items():
                    result[file] = (path.name, data)
            elif path.suffix in (".yaml", ".yml"):
                self.problems.add(name, 1, "a case file outside an area's "
                                  "folder", f"move it to {CASES}/<area>/")
        return result

    def misnamed(self, folder: Path) -> None:
        for path in _folder(self.root, str(folder.relative_to(self.root))):
            name = path.relative_to(self.root).as_posix()
            if path.suffix == ".yml":
                self.problems.add(name, 1, "a case file with the suffix "
                                  "`.yml`", "call it `.yaml`")


def _vocabulary(files: _Files, problems: Problems) -> Vocabulary:
    sources = files.of(VOCABULARY, ".yaml")
    if not sources:
        raise CorpusError("no vocabulary is there; it is a folder of .yaml "
                          "files, one an area", place=VOCABULARY)
    return read_vocabulary(sources, problems)


def load_vocabulary(root: Path, problems: Problems) -> Vocabulary:
    """The vocabulary of a checkout."""
    return _vocabulary(_Files(root, problems), problems)


def load_rules(
    root: Path, vocabulary: Vocabulary, problems: Problems
) -> Rules:
    """The rules of a checkout."""
    return read_rules(_Files(root, problems).of(SPEC, ".md"),
                      vocabulary.traits, problems)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Reading makes a great many small objects that all stay: a collector
    that looks at them again and again takes half of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def load(root: Path) -> Corpus:
    """Reads everything below `root`; raises CorpusError only when a file
    cannot be read at all."""
    with _no_collector():
        return _load(root)


def _load(root: Path) -> Corpus:
    problems = Problems()
    files = _Files(root, problems)
    vocabulary = _vocabulary(files, problems)
    rules = read_rules(files.of(SPEC, ".md"), vocabulary.traits, problems)
    reader = CaseReader(vocabulary, rules, problems)
    cases: list[Case] = []
    for file, (area, data) in files.cases().items():
        cases += reader.read(file, data, area)
    _unique_ids(cases, problems)
    _rules_have_cases(rules, reader, problems)
    expectations = read_expectations(
        files.of(EXPECTATIONS, ".yaml"), cases, problems)
    return Corpus(vocabulary, rules, cases, expectations, problems,
                  files.sources)


def _unique_ids(cases: list[Case], problems: Problems) -> None:
    seen: dict[str, Case] = {}
    for case in cases:
        first = seen.setdefault(case.id, case)
        if first is case:
            continue
        mend = "an id is permanent and its own: take another name"
        if first.line == case.line:
            mend = "two matrix values are spelt alike in an id: use rows " \
                "`{name: x, part: y}`"
        problems.add(case.file, case.line, f"the id {case.id} stands already "
                     f"in line {first.line}", mend)


def _rules_have_cases(
    rules: Rules, reader: CaseReader, problems: Problems
) -> None:
    """A rule that no case cites; silent where a file of the area could not
    be read, since it may hold the very case."""
    for rule in rules.by_id.values():
        if rule.id not in reader.cited and rule.area not in reader.unread:
            problems.add(rule.file, rule.line, f"the rule {rule.id} has no "
                         "case", f"write one in {CASES}/{rule.area}/",
                         kind="unfinished")
