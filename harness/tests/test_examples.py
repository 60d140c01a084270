# SPDX-License-Identifier: MIT
"""The examples in help and pages name what is there: cases, rules, mutants."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import]

from plumbline import cli
from plumbline.commands import __file__ as commands

_ROOT = Path(__file__).parents[2]
_CONFORMANCE = _ROOT / "conformance"
_PAGES = ("README.md", "CONTRIBUTING.md", "conformance/README.md",
          "conformance/mutants/README.md", "conformance/runner/options.c")


def _texts() -> dict[str, str]:
    texts = {page: (_ROOT / page).read_text() for page in _PAGES}
    texts["plumbline"] = cli._EPILOG
    for path in sorted(Path(commands).parent.glob("[!_]*.py")):
        module = importlib.import_module(f"plumbline.commands.{path.stem}")
        texts[path.stem] = module._EPILOG
    return texts


_TEXTS = _texts()


def _cases() -> set[str]:
    """The ids as written: a family counts by its pattern."""
    return {
        f"{path.parent.name}/{path.stem}/{case['id']}"
        for path in _CONFORMANCE.glob("cases/*/*.yaml")
        for case in yaml.load(path.read_text(), yaml.CSafeLoader)["cases"]
    }


_CASES = _cases()
_SHORT = {case.rpartition("/")[2] for case in _CASES}
_SUBTREES = {case.rpartition("/")[0] for case in _CASES}


@pytest.mark.parametrize("name", _TEXTS)
def test_ids_in_examples_exist(name: str) -> None:
    """What a newcomer copies from a page works."""
    text = _TEXTS[name]
    for case in re.findall(r"\b(?:loop|modules)/[a-z-]+/[a-z0-9-]+", text):
        assert case in _CASES, case
    for tree in re.findall(
            r"--select ((?:loop|modules)/[a-z-]+)(?![a-z/-])", text):
        assert tree in _SUBTREES, tree
    rules = "".join(p.read_text() for p in _CONFORMANCE.glob("spec/*.md"))
    for rule in re.findall(r"\b[A-Z]+-[A-Z]+-[0-9]+\b", text):
        assert f"### {rule} " in rules, rule


def test_short_names_in_examples_exist() -> None:
    """A case by its short id, an operation, a trait; a mutant."""
    known = "".join(
        p.read_text() for p in _CONFORMANCE.glob("schema/vocabulary/*.yaml"))
    names = [
        name for text in _TEXTS.values()
        for name in re.findall(r"expl(?:ain|ore) ([a-z][a-z.-]+)(?=\s)", text)
        if not name.endswith(".yaml")
    ]
    assert len(names) >= 4
    for name in names:
        assert name in _SHORT or re.search(
            rf"^ +{re.escape(name)}:", known, re.M), name


def test_mutants_in_examples_exist() -> None:
    """`mutants loop --only NAME`."""
    text = _TEXTS["mutants"]
    names = re.findall(r"mutants loop --only ([a-z-]+)", text)
    there = (_CONFORMANCE / "mutants/loop.yaml").read_text()
    assert names
    for name in names:
        assert f"\n- id: {name}\n" in there, name
