# SPDX-License-Identifier: MIT
"""Malformed and misleading YAML: one clear message with its line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Complaints = Callable[[str | bytes], list[str]]

HEAD = "rule: LOOP-A-1\ncases:\n"

MALFORMED: list[tuple[str, str | bytes, list[str]]] = [
    ("empty", "", [
        "x.yaml:1: the file is empty; write `rule: ...` and `cases: [...]`"]),
    ("only a comment", "# nothing\n", [
        "x.yaml:1: the file is empty; write `rule: ...` and `cases: [...]`"]),
    ("a list", "- a\n", [
        "x.yaml:1: the file must be a mapping, not a list"]),
    ("a scalar", "hello\n", [
        "x.yaml:1: the file must be a mapping, not `hello`"]),
    ("tab", "rule: X\ncases:\n\t- id: x\n", [
        "x.yaml:3: a tab in the indentation; indent with spaces"]),
    ("colon", "rule: a: b\ncases: []\n", [
        "x.yaml:1: not YAML: mapping values are not allowed in this context; "
        'put text with ": " in it in quotes']),
    ("open bracket", HEAD + "  - {id: x, program: [\n", [
        "x.yaml:3: not YAML: did not find expected node content; a bracket "
        "is not closed"]),
    ("open quote", 'rule: "abc\ncases: []\n', [
        "x.yaml:2: not YAML: found unexpected end of stream; a quote is not "
        "closed"]),
    ("indentation", "rule: X\n cases: []\n", [
        "x.yaml:2: not YAML: mapping values are not allowed in this context; "
        'put text with ": " in it in quotes']),
    ("two documents", "rule: X\n---\nrule: Y\n", [
        "x.yaml:2: not YAML: but found another document; one file is one "
        "document: no `---`"]),
    ("undefined alias", "rule: *x\n", [
        "x.yaml:1: not YAML: found undefined alias; text that begins with "
        "`*` wants quotes"]),
    ("percent", "rule: %x\n", [
        "x.yaml:1: not YAML: found character that cannot start any token; "
        "text that begins with a character of YAML wants quotes"]),
    ("not UTF-8", b"rule: X\ncases: \xff\n", [
        "x.yaml:2: not UTF-8; save the file as UTF-8"]),
    ("control character", "rule: X\ncases: a\x07b\n", [
        "x.yaml:2: the character U+0007 may not stand in YAML; remove it, or "
        'write "\\u0007" in double quotes']),
    ("bomb", "rule: &a X\ncases: [&b [x], *b]\n", [
        "x.yaml:2: an alias (`*name`) repeats this node; write it out, or "
        "use `matrix` or `repeat`"]),
    ("tag", "rule: !!python/name:os.system X\ncases: [a]\n", [
        "x.yaml:1: the tag `tag:yaml.org,2002:python/name:os.system` means "
        "nothing here; remove it",
        "x.yaml:2: this item must be a mapping, not `a`"]),
    ("key that is a list", "[a]: b\ncases: [a]\n", [
        "x.yaml:1: a key is a list or mapping; a key is plain text",
        "x.yaml:2: this item must be a mapping, not `a`"]),
    ("merge", "a: &x {b: c}\n<<: *x\n", [
        "x.yaml:1: the file has no key `cases`; write `cases: ...`",
        "x.yaml:1: unknown key `a`; known: `rule`, `needs`, `isolation`, "
        "`pool`, `runs` or `cases`",
        "x.yaml:2: `<<` merges another mapping; write its keys out"]),
    ("duplicate key", "rule: X\nrule: Y\ncases: [a]\n", [
        "x.yaml:2: `rule` stands twice in one mapping (first in line 1); "
        "YAML would drop one of them; remove it",
        "x.yaml:3: this item must be a mapping, not `a`"]),
    ("deep", "[" * 3000, [
        "x.yaml:1: not YAML: did not find expected node content; a bracket "
        "is not closed"]),
    ("deep enough to kill the parser", "[" * 100_000, [
        "x.yaml:1: nested deeper than 100 levels; is a bracket not closed?"]),
    ("deep and closed", "[" * 150 + "]" * 150, [
        "x.yaml:1: nested deeper than 100 levels; is a bracket not closed?"]),
    ("deep lists", "- " * 50_000 + "a", [
        "x.yaml:1: nested deeper than 100 levels; is a bracket not closed?"]),
    ("too large", b"#" * 4_000_001, [
        "x.yaml:1: larger than 4000000 bytes; split it: one topic per file"]),
]


@pytest.mark.parametrize(
    "text, told", [m[1:] for m in MALFORMED], ids=[m[0] for m in MALFORMED])
def test_malformed_yaml_is_told_with_its_line(
    complaints: Complaints, text: str | bytes, told: list[str]
) -> None:
    """A file that is no YAML, or no file of cases, is told so."""
    assert complaints(text) == told


# What stands as the value of a log, and what is said of it.
TRAPS = [
    ("on", "`on` is read by YAML as true; write \"on\" in quotes for the "
     "text, or true"),
    ("no", "`no` is read by YAML as false; write \"no\" in quotes for the "
     "text, or false"),
    ("Off", "`Off` is read by YAML as false; write \"Off\" in quotes for the "
     "text, or false"),
    ("010", "`010` is read by YAML as an octal, hexadecimal, binary, grouped "
     "or base 60 number; write a plain decimal number, or \"010\" in quotes "
     "for the text"),
    ("0x1F", "`0x1F` is read by YAML as an octal, hexadecimal, binary, "
     "grouped or base 60 number; write a plain decimal number, or \"0x1F\" "
     "in quotes for the text"),
    ("1:30", "`1:30` is read by YAML as an octal, hexadecimal, binary, "
     "grouped or base 60 number; write a plain decimal number, or \"1:30\" "
     "in quotes for the text"),
    ("1_000", "`1_000` is read by YAML as an octal, hexadecimal, binary, "
     "grouped or base 60 number; write a plain decimal number, or \"1_000\" "
     "in quotes for the text"),
    (".inf", "`.inf` is no plain decimal number; write \".inf\" in quotes "
     "for the text (setTimeout takes \"NaN\" and \"Infinity\" by name)"),
    ("2020-01-01", "`2020-01-01` is read by YAML as a date; write "
     "\"2020-01-01\" in quotes"),
    ("9" * 5000, "the number is too large; the largest is "
     "9223372036854775807"),
    ("{n}", "`{n}` is a mapping with an empty value here; write \"{n}\" in "
     "quotes for a matrix value, or {n: {}} for an operation"),
    ("=", "`=` is read by YAML as a `value`; write \"=\" in quotes"),
]


@pytest.mark.parametrize("value, told", TRAPS, ids=[t[0][:12] for t in TRAPS])
def test_what_yaml_misreads_is_told(
    about: Callable[[str], list[str]], value: str, told: str
) -> None:
    """What YAML 1.1 reads as something else is told once, and nothing of
    what follows from it."""
    assert about(
        f"program:\n  - log: [a, {value}]\nexpect: [[a, {{min: 0}}]]"
    ) == [f"x.yaml:5: {told}"]


@pytest.mark.parametrize("key, kind", [
    ("on", "true or false"), ("1", "a number"), ("~", "nothing (null)"),
    ("2020-01-01", "a date"), ("1.5", "a number"),
])
def test_keys_that_are_no_text_are_told(
    about: Callable[[str], list[str]], key: str, kind: str
) -> None:
    """A key such as `on:` is no text for YAML 1.1."""
    assert about(f"program:\n  - {key}: {{}}\nexpect: []") == [
        f"x.yaml:5: the key `{key}` is read by YAML as {kind} and not as "
        f'text; write "{key}" in quotes'
    ]


def test_every_error_is_told_and_not_only_the_first(
    complaints: Complaints,
) -> None:
    """Three mistakes in three cases make three lines."""
    told = complaints(HEAD + """\
  - id: a
    program: [{lug: x}]
    expect: [x]
  - id: b
    program: [{log: x}]
    expect: [y]
  - id: c
    program: [{log: yes}]
    expect: []
""")
    assert [line.split(":")[1] for line in told] == ["4", "8", "10"]


def test_a_byte_order_mark_and_windows_newlines_are_harmless(
    complaints: Complaints,
) -> None:
    """Editors write them; they change nothing."""
    text = HEAD + "  - {id: a, program: [{log: x}], expect: [x]}\n"
    assert complaints(b"\xef\xbb\xbf" + text.encode()) == []
    assert complaints(text.replace("\n", "\r\n")) == []
