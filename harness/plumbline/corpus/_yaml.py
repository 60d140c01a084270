# SPDX-License-Identifier: MIT
"""Reads YAML with the line of every node, and refuses what misleads.

YAML 1.1 reads `on` as true, `010` as 8, `1:30` as 90 and `2020-01-01` as a
date, lets the second of two equal keys win, and lets an alias blow a small
file up into a huge one. Each of these is a problem with its line here, and
none of them reaches the corpus: what read_yaml() returns consists of None,
bool, int, float, str, Map (text keys only) and Seq.
"""

from __future__ import annotations

import math
import re
from typing import Any, TypeAlias

import yaml  # type: ignore[import]

from plumbline.corpus._problems import Problems, shown

__all__ = ["Map", "Scalar", "Seq", "Value", "line_of", "read_yaml"]

Scalar: TypeAlias = "None | bool | int | float | str"
Value: TypeAlias = "None | bool | int | float | str | Map | Seq"


class Map(dict[str, Value]):
    """A mapping that knows its line and the line of each of its keys."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}

    def put(self, key: str, value: Value, line: int) -> None:
        self[key] = value
        self.lines[key] = line

    def line_at(self, key: str) -> int:
        """Where that key stands, or else the mapping."""
        return self.lines.get(key, self.line)


class Seq(list[Value]):
    """A list that knows its line and the line of each of its items."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []

    def put(self, value: Value, line: int) -> None:
        self.append(value)
        self.lines.append(line)

    def line_at(self, index: int) -> int:
        """Where that item stands, or else the list."""
        return self.lines[index] if index < len(self.lines) else self.line


def line_of(value: Value, otherwise: int) -> int:
    """The line of a value that knows it, or else the given one."""
    return value.line if isinstance(value, Map | Seq) else otherwise


_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
_LARGEST = 2**63 - 1

# A file larger than this is no case file. The C parser recurses on the C
# stack and dies at some 40,000 levels, so a text that could hold many levels
# has its depth counted from the events first.
_MAX_BYTES = 4_000_000
_MAX_DEPTH = 100
_SUSPICIOUS = 8_000

_HINTS = (
    ("mapping values are not allowed", 'put text with ": " in it in quotes'),
    ("could not find expected ':'", "a key is followed by `: `; text with "
     "colons wants quotes, and a list item under a key wants indentation"),
    ("expected <block end>", "the indentation does not agree with the lines "
     "above"),
    ("did not find expected key", "the indentation does not agree with the "
     "lines above, or a quote or bracket closes too early"),
    ("did not find expected '-' indicator", "the indentation does not agree "
     "with the list items above"),
    ("did not find expected ',' or", "a bracket is not closed, or a comma "
     "is missing"),
    ("did not find expected node content", "a bracket is not closed"),
    ("unexpected end of stream", "a quote is not closed"),
    ("cannot start any token", 'text that begins with a character of YAML '
     "wants quotes"),
    ("another document", "one file is one document: no `---`"),
    ("undefined alias", "text that begins with `*` wants quotes"),
    ("alphabetic or numeric character", "text that begins with `*` or `&` "
     "wants quotes"),
    ("escape character", "use single quotes where a backslash is meant"),
)


class _Builder:
    """Turns yaml's nodes into values, noting what misleads."""

    def __init__(self, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.seen: set[int] = set()
        self.depth = 0

    def doubt(self, line: int, wrong: str, mend: str) -> None:
        self.problems.add(self.file, line, wrong, mend, doubtful=True)

    def build(self, node: Any) -> Value:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        line = node.start_mark.line + 1
        if id(node) in self.seen:
            self.doubt(line, "an alias (`*name`) repeats this node",
                       "write it out, or use `matrix` or `repeat`")
            return None
        self.seen.add(id(node))
        if self.depth >= _MAX_DEPTH:
            self.doubt(line, f"nested deeper than {_MAX_DEPTH} levels",
                       "is a bracket not closed?")
            return None
        self.depth += 1
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, line)
            return self.sequence(node, line)
        finally:
            self.depth -= 1

    def sequence(self, node: Any, line: int) -> Value:
        self.check_tag(node, "seq", line)
        result = Seq(line)
        for child in node.value:
            result.put(self.build(child), child.start_mark.line + 1)
        return result

    def mapping(self, node: Any, line: int) -> Value:
        self.check_tag(node, "map", line)
        result = Map(line)
        for key_node, value_node in node.value:
            key = self.key(key_node)
            if key is None:
                continue
            where = key_node.start_mark.line + 1
            if key in result:
                self.doubt(where, f"`{key}` stands twice in one mapping "
                           f"(first in line {result.lines[key]})",
                           "YAML would drop one of them; remove it")
                continue
            if node.flow_style and self.is_bare(value_node):
                self.doubt(where, f"`{{{key}}}` is a mapping with an empty "
                           "value here",
                           f'write "{{{key}}}" in quotes for a matrix value, '
                           f"or {{{key}: {{}}}} for an operation")
            result.put(key, self.build(value_node), where)
        return result

    @staticmethod
    def is_bare(node: Any) -> bool:
        return isinstance(node, yaml.ScalarNode) and not (
            node.value or node.style
        )

    def key(self, node: Any) -> str | None:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            self.doubt(line, "a key is a list or mapping",
                       "a key is plain text")
            return None
        if node.tag == _TAG + "str":
            return str(node.value)
        if node.tag == _TAG + "merge":
            self.doubt(line, "`<<` merges another mapping",
                       "write its keys out")
            return None
        self.doubt(line, f"the key `{node.value}` is read by YAML as "
                   f"{self.kind(node)} and not as text",
                   f'write "{node.value}" in quotes')
        return str(node.value)

    def check_tag(self, node: Any, kind: str, line: int) -> None:
        if node.tag != _TAG + kind:
            self.doubt(line, f"the tag {shown(node.tag)} means nothing here",
                       "remove it")

    @staticmethod
    def kind(node: Any) -> str:
        tag = str(node.tag).removeprefix(_TAG)
        kinds = {"bool": "true or false", "int": "a number",
                 "float": "a number", "null": "nothing (null)",
                 "timestamp": "a date"}
        return kinds.get(tag, f"a `{tag}`")

    def scalar(self, node: Any) -> Scalar:
        tag = str(node.tag)
        text = str(node.value)
        if tag == _TAG + "str":
            return text
        line = node.start_mark.line + 1
        kind = tag.removeprefix(_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            return self.boolean(text, line)
        if kind == "int":
            return self.integer(text, line)
        if kind == "float":
            return self.number(text, line)
        if kind in ("timestamp", "value", "merge") and not node.style:
            self.doubt(line, f"`{text}` is read by YAML as {self.kind(node)}",
                       f'write "{text}" in quotes')
        else:
            self.doubt(line, f"the tag {shown(tag)} means nothing here",
                       "remove it")
        return text

    def boolean(self, text: str, line: int) -> Scalar:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        truth = "true" if text.lower() in ("yes", "on", "y") else "false"
        self.doubt(line, f"`{text}` is read by YAML as {truth}",
                   f'write "{text}" in quotes for the text, or {truth}')
        return text

    def integer(self, text: str, line: int) -> Scalar:
        if not _INT.match(text):
            self.doubt(line, f"`{text}` is read by YAML as an octal, "
                       "hexadecimal, binary, grouped or base 60 number",
                       f'write a plain decimal number, or "{text}" in quotes '
                       "for the text")
            return text
        # Long digit strings are refused before int(), which refuses them too.
        if len(text) > 20 or abs(int(text)) > _LARGEST:
            self.doubt(line, "the number is too large",
                       f"the largest is {_LARGEST}")
            return 0
        return int(text)

    def number(self, text: str, line: int) -> Scalar:
        value = float(text) if _FLOAT.match(text) else math.nan
        if math.isfinite(value):
            return value
        self.doubt(line, f"`{text}` is no plain decimal number",
                   f'write "{text}" in quotes for the text (setTimeout takes '
                   '"NaN" and "Infinity" by name)')
        return text


def _too_deep(text: str) -> int | None:
    """The line where the nesting goes beyond all reason, if it does."""
    risk = sum(text.count(mark) for mark in "[{-?")
    if risk < _SUSPICIOUS:
        return None
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                return int(event.start_mark.line) + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _explain(text: str, error: Any) -> tuple[int, str, str]:
    """Line, what is wrong and how to mend it, of a parser's error."""
    mark = getattr(error, "problem_mark", None) or getattr(
        error, "context_mark", None
    )
    wrong = str(getattr(error, "problem", None) or error).splitlines()[0]
    line = int(mark.line) + 1 if mark is not None else 1
    lines = text.splitlines() or [""]
    line = min(line, len(lines))
    there = lines[line - 1]
    if "\t" in there[: len(there) - len(there.lstrip())]:
        return line, "a tab in the indentation", "indent with spaces"
    mend = next((hint for part, hint in _HINTS if part in str(error)), "")
    return line, f"not YAML: {wrong}", mend or "see the line above too"


def _decode(data: bytes, file: str, problems: Problems) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(file, line, "not UTF-8", "save the file as UTF-8")
        return None
    for match in re.finditer(
        "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]",
        text,
    ):
        line = text.count("\n", 0, match.start()) + 1
        problems.add(file, line, f"the character U+{ord(match[0]):04X} may "
                     "not stand in YAML", 'remove it, or write "\\u'
                     f'{ord(match[0]):04x}" in double quotes')
        return None
    return text


def read_yaml(data: bytes, file: str, problems: Problems) -> Value:
    """The document in `data`; None after an error that left nothing, or for
    an empty file. `file` is what problems call it."""
    if len(data) > _MAX_BYTES:
        problems.add(file, 1, f"larger than {_MAX_BYTES} bytes",
                     "split it: one topic per file")
        return None
    text = _decode(data, file, problems)
    if text is None:
        return None
    try:
        deep = _too_deep(text)
        if deep is not None:
            problems.add(file, deep, "nested deeper than "
                         f"{_MAX_DEPTH} levels", "is a bracket not closed?")
            return None
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        if node is None:
            return None
        return _Builder(file, problems).build(node)
    except RecursionError:
        problems.add(file, 1, "nested too deeply", "is a bracket not closed?")
    except yaml.YAMLError as error:
        problems.add(file, *_explain(text, error))
    return None
