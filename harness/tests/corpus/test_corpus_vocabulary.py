# SPDX-License-Identifier: MIT
"""The vocabulary, and the pages and the schema that are made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import]
import pytest
import yaml  # type: ignore[import]

from plumbline.corpus._cases import CaseReader
from plumbline.corpus._cli import main
from plumbline.corpus._problems import Problems
from plumbline.corpus._protocol import PROTOCOL_SCHEMA, protocol_text
from plumbline.corpus._rules import Rules
from plumbline.corpus._schema import case_schema
from plumbline.corpus._vocabulary import Vocabulary, read_vocabulary


def test_the_generated_pages_are_current(root: Path) -> None:
    """conformance/spec/vocabulary.md and schema/case.schema.json say what
    the vocabulary says; else run `vocabulary --write`."""
    assert main(["vocabulary", "--check", "--root", str(root)]) == 0


def test_a_page_that_is_not_current_is_told(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And --write mends it."""
    arguments = ["vocabulary", "--root", str(small)]
    assert main([*arguments, "--check"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == (
        "conformance/spec/vocabulary.md:1: not current; run `python -m "
        "plumbline.corpus vocabulary --write`")
    assert main([*arguments, "--write"]) == 0
    assert main([*arguments, "--check"]) == 0


def test_every_message_of_the_protocol_has_an_example_that_is_one(
    root: Path
) -> None:
    """And the page has all of its fields."""
    text = (root / PROTOCOL_SCHEMA).read_text(encoding="utf-8")
    schema: Any = json.loads(text)
    page = protocol_text(text)
    names = [one["$ref"].rpartition("/")[2] for group in ("request", "answer")
             for one in schema["definitions"][group]["oneOf"]]
    assert len(names) == 11
    for name in names:
        message = schema["definitions"][name]
        assert message["description"] and message["examples"]
        for example in message["examples"]:
            jsonschema.validate(example, {
                **message, "definitions": schema["definitions"]})
            assert json.dumps(example, ensure_ascii=False) in page
        part = page[page.index(f"\n### {name}\n"):]
        part = part[:part.find("\n### ", 5)]
        for field in message["properties"]:
            assert f"| `{field}`" in part


WRONG = [
    ("empty", "", "v.yaml:1: the vocabulary must be a mapping; with the keys "
     "`capabilities`, `operations`, `traits`, `values` or `version`"),
    ("version", "version: 2", "v.yaml:1: version 2 is not known here; write "
     "`version: 1`"),
    ("section", "values: []", "v.yaml:1: `values` must be a mapping; from "
     "names to what they mean"),
    ("no text", "traits:\n  a:", "v.yaml:2: `a` has no text; say in a "
     "sentence what it means"),
    ("capability", "operations: {a: {doc: x, capability: b}}", "v.yaml:1: "
     "unknown capability `b`; list it under `capabilities`"),
    ("capability of a value", "values: {$a: so (b.c)}", "v.yaml:1: unknown "
     "capability `b.c`; list it under `capabilities`"),
    ("key", "operations: {a: {doc: x, callbck: true}}", "v.yaml:1: unknown "
     "key `callbck`; did you mean `callback`?"),
    ("no doc", "operations: {a: {callback: true}}", "v.yaml:1: the operation "
     "`a` has no `doc`; say in a sentence what it does"),
    ("id", "operations: {a: {doc: x, id: maybe}}", "v.yaml:1: `id` is "
     "`maybe`; write `optional` or `required`, or leave it out"),
    ("schema word", "operations: {a: {doc: x, args: {properties: {b: "
     "{minimun: 3}}}}}", "v.yaml:1: unknown schema word `minimun`; did you "
     "mean `minimum`?"),
]


@pytest.mark.parametrize(
    "text, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_vocabulary_is_told_with_its_line(
    text: str, told: str
) -> None:
    """Nothing in it is silently ignored."""
    problems = Problems()
    read_vocabulary({"v.yaml": text.encode()}, problems)
    assert told in [str(p) for p in problems.of("error")]


def test_a_name_stands_in_one_file() -> None:
    """And a file may use a capability that another one has."""
    one = b"version: 1\ncapabilities: {a.b: x}\ntraits: {t: x}\n"
    two = (b"version: 1\noperations: {o: {doc: x, capability: a.b}}\n"
           b"traits: {t: y}\n")
    problems = Problems()
    found = read_vocabulary({"two.yaml": two, "one.yaml": one}, problems)
    assert found.operations["o"].capability == "a.b"
    assert [str(p) for p in problems.of("error")] == [
        "one.yaml:3: `t` stands already in another file; say what it means "
        "in one file of conformance/schema/vocabulary/"]


# Case texts on which the schema and the checks must agree: title, the
# program's and the expectation's text, whether it is right.
AGREE = [
    ("ok", "[{log: a}]", "[a]", True),
    ("values", "[{log: [a, 1]}]", "[[a, {near: 1, within: 0}]]", True),
    ("each", "[{interval: {id: i, every: 1, each: [[{log: a}], "
     "[{clear: i}]]}}]", "[a]", True),
    ("repeat", "[{repeat: {times: 2, do: [{log: a$i}, {block: $i}]}}]",
     "[{for: {times: 2, do: [a$i]}}]", True),
    ("patterns", "[{log: a}, {log: b}]",
     "{interleave: [[a, {atomic: [b]}], {optional: {repeat: {of: a, min: 1, "
     "max: 2}}}]}", True),
    ("matcher", "[{log: [a, 1]}]", "[[a, {mni: 1}]]", False),
    ("near alone", "[{log: [a, 1]}]", "[[a, {near: 1}]]", False),
    ("operation", "[{lug: a}]", "[]", False),
    ("two keys", "[{log: a, block: 1}]", "[a]", False),
    ("key", "[{tick: {after: 1}}]", "[]", False),
    ("no path", "[{fs.stat: {}}]", "[]", False),
    ("no id", "[{idle: {}}]", "[]", False),
    ("then and each", "[{tick: {then: [], each: [[]]}}]", "[]", False),
    ("bound", "[{block: -1}]", "[]", False),
    ("type", "[{block: soon}]", "[]", False),
    ("body", "[{tick: {then: {log: a}}}]", "[a]", False),
    ("label", "[{log: 3}]", "[]", False),
    ("three", "[{log: [a, 1, 2]}]", "[[a, 1]]", False),
    ("enum", "[{run: {mode: twice}}]", "[]", False),
    ("operator", "[{log: a}]", "{some-order: [a]}", False),
    ("empty", "[{log: a}]", "{any-order: []}", False),
    ("number", "[{log: a}]", "[3]", False),
    ("value", "[{log: [a, [1]]}]", "[[a, 1]]", False),
]


@pytest.mark.parametrize(
    "program, expect, right", [a[1:] for a in AGREE],
    ids=[a[0] for a in AGREE])
def test_schema_and_checks_agree(
    vocabulary: Vocabulary, rules: Rules, program: str, expect: str,
    right: bool,
) -> None:
    """What the checks accept the published schema accepts, and the shapes
    that they refuse it refuses."""
    text = (f"rule: LOOP-A-1\ncases:\n  - id: a\n    runs: 9\n"
            f"    program: {program}\n    expect: {expect}\n")
    problems = Problems()
    CaseReader(vocabulary, rules, problems).read(
        "x.yaml", text.encode(), "loop")
    validator = jsonschema.Draft202012Validator(case_schema(vocabulary))
    assert validator.is_valid(yaml.safe_load(text)) == right
    assert (not problems.of("error")) == right


def test_the_schema_is_a_schema(vocabulary: Vocabulary) -> None:
    """By the meta-schema that it names."""
    jsonschema.Draft202012Validator.check_schema(case_schema(vocabulary))


def test_every_case_file_fits_the_schema(root: Path) -> None:
    """The corpus as it stands, by the published schema."""
    schema: Any = json.loads(
        (root / "conformance/schema/case.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    wrong = {
        f"{path.name}: {'/'.join(map(str, error.absolute_path))}"
        for path in root.glob("conformance/cases/*/*.yaml")
        for error in validator.iter_errors(
            yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))
    }
    assert wrong == set()
