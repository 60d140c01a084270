# SPDX-License-Identifier: MIT
"""Programs from a file that is no part of the corpus.

Such a file is a list of operations, a mapping with `main` or `program`, or a
whole case file. What it says is checked as the corpus is: a program that is
given out can be performed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline.corpus._cases import CaseReader
from plumbline.corpus._corpus import load_rules, load_vocabulary
from plumbline.corpus._expand import TooLarge, write_out
from plumbline.corpus._problems import Problems
from plumbline.corpus._program import ProgramChecker
from plumbline.corpus._yaml import Map, Seq, Value, read_yaml
from plumbline.errors import CorpusError

__all__ = ["LooseProgram", "read_programs"]

_FORMS = "a file holds a list of operations, `program: [...]`, or `cases`"


@dataclass(frozen=True)
class LooseProgram:
    """A program and what it needs around it."""

    name: str
    program: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)


def read_programs(root: Path, path: Path) -> list[LooseProgram]:
    """The programs of a YAML or JSON file; `root` is the checkout whose
    vocabulary counts. Raises CorpusError with everything that is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot be read: {error.strerror}",
                          place=str(path)) from error
    problems = Problems()
    document = read_yaml(data, str(path), problems)
    if isinstance(document, Map) and "cases" in document:
        found = _cases(root, path, data, problems)
    else:
        found = _bare(root, path, document, problems)
    errors = problems.of("error")
    if errors:
        raise CorpusError("\n  ".join(str(p) for p in errors))
    return found


def _cases(
    root: Path, path: Path, data: bytes, problems: Problems
) -> list[LooseProgram]:
    vocabulary = load_vocabulary(root, problems)
    reader = CaseReader(vocabulary, load_rules(root, vocabulary, problems),
                        problems)
    result: list[LooseProgram] = []
    for case in reader.read(str(path), data, "loose"):
        program: dict[str, Any] = {"main": case.program}
        if case.pool:
            program["pool"] = case.pool
        name = case.id.rsplit("/", 1)[-1]
        result.append(LooseProgram(name, program, case.files))
    return result


def _main_of(document: Value) -> tuple[Value, Value]:
    """The operations and the size of the pool."""
    if not isinstance(document, Map):
        return document, None
    inner = document.get("program", document)
    main = inner.get("main") if isinstance(inner, Map) else inner
    pool = inner.get("pool") if isinstance(inner, Map) else None
    return main, document.get("pool", pool)


def _bare(
    root: Path, path: Path, document: Value, problems: Problems
) -> list[LooseProgram]:
    main, pool = _main_of(document)
    if problems.error_count():
        return []
    if not isinstance(main, Seq) or not main:
        problems.add(str(path), 1, "no program stands here", _FORMS)
        return []
    program: dict[str, Any] = {}
    try:
        program["main"] = write_out(main)
    except TooLarge:
        problems.add(str(path), 1, "written out, this program has more than "
                     "20000 operations", "repeat less")
        return []
    if pool is not None:
        program["pool"] = pool
    checker = ProgramChecker(load_vocabulary(root, problems), problems)
    checker.check(program["main"], str(path))
    return [LooseProgram(path.stem, program)]
