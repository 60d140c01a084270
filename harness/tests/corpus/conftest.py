# SPDX-License-Identifier: MIT
"""What the corpus tests share: the real vocabulary, one rule, small files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "harness"))

from plumbline.corpus._cases import Case, CaseReader  # noqa: E402
from plumbline.corpus._corpus import load_vocabulary  # noqa: E402
from plumbline.corpus._problems import Problems  # noqa: E402
from plumbline.corpus._rules import Rules, read_rules  # noqa: E402
from plumbline.corpus._vocabulary import (  # noqa: E402
    VOCABULARY,
    Vocabulary,
)

SPEC = b"""\
### LOOP-A-1 (MUST) A thing is so
Source: here.

### LOOP-A-2 (OBSERVED) Another thing is so
Source: there.
Trait: timer-lists

Retired ids: LOOP-A-3
"""

DATA = Path(__file__).with_name("data")

Read = Callable[[str | bytes], tuple[list[Case], Problems]]
Complaints = Callable[[str | bytes], list[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    problems = Problems()
    result = load_vocabulary(ROOT, problems)
    assert problems.found == []
    return result


@pytest.fixture(scope="session")
def rules(vocabulary: Vocabulary) -> Rules:
    problems = Problems()
    result = read_rules({"spec/loop.md": SPEC}, vocabulary.traits, problems)
    assert problems.found == []
    return result


@pytest.fixture()
def read(vocabulary: Vocabulary, rules: Rules) -> Read:
    """Reads a text as the case file `x.yaml` of the area loop."""

    def reader(text: str | bytes) -> tuple[list[Case], Problems]:
        problems = Problems()
        data = text.encode() if isinstance(text, str) else text
        cases = CaseReader(vocabulary, rules, problems).read(
            "x.yaml", data, "loop")
        return cases, problems

    return reader


@pytest.fixture()
def complaints(read: Read) -> Complaints:
    """Every problem of a text, as a person is told it."""

    def reader(text: str | bytes) -> list[str]:
        problems = read(text)[1]
        return [str(p) for p in problems.of("error", "unfinished", "warning")]

    return reader


@pytest.fixture()
def about(complaints: Complaints) -> Callable[[str], list[str]]:
    """The problems of one case, of which `program` and `expect` (and
    whatever else) are given from line 4 on."""

    def reader(body: str) -> list[str]:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        return complaints("rule: LOOP-A-1\ncases:\n  - id: x\n" + lines)

    return reader


@pytest.fixture()
def small(tmp_path: Path) -> Path:
    """A checkout in miniature with the real vocabulary."""
    checkout = tmp_path / "small checkout"
    conformance = checkout / "conformance"
    shutil.copytree(DATA / "small", conformance)
    shutil.copytree(ROOT / VOCABULARY, checkout / VOCABULARY)
    return checkout
