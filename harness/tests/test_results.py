# SPDX-License-Identifier: MIT
"""The reader of results: it believes nothing that contradicts itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import]
import pytest
import samples

from plumbline.errors import ResultsError
from plumbline.places import find_places
from plumbline.results import label_of, read_many, read_results, show_event

Lines = list[dict[str, Any]]


def _lines() -> Lines:
    return samples.results_lines("node", "20.20.2", samples.bad_cases())


def test_a_whole_file_is_read_with_all_it_says(tmp_path: Path) -> None:
    """Every field of a case survives."""
    path = samples.write_lines(tmp_path / "node-20.20.2.jsonl", _lines())
    results = read_results(path)
    assert results.label == "node-20.20.2"
    assert results.complete
    assert len(results.cases) == 5
    assert [case.id for case in results.unexpected()] == [
        "loop/check/immediate-before-timeout-inside-io",
        "loop/timers/same-duration",
    ]
    first = next(iter(results.cases.values()))
    assert first.explanation is not None
    assert first.explanation.summary == (
        "expected `immediate` before `timeout`"
    )
    assert first.traces[0].events == ("timeout", "immediate")
    assert results.cases["loop/timers/same-duration"].stderr == (
        f"line 1\n{samples.HOSTILE}\n"
    )


def test_the_samples_of_these_tests_fit_the_schema() -> None:
    """The one that the judge's own lines are held against."""
    schema: Any = json.loads((
        find_places().root / "conformance/schema/result.schema.json"
    ).read_text(encoding="utf-8"))
    for line in (*_lines(), *samples.results_lines(
            "x", "1", samples.good_cases(), False)):
        jsonschema.validate(line, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**_lines()[0], "format": 2}, schema)


def test_a_line_ends_at_a_newline_alone(tmp_path: Path) -> None:
    """What else Unicode takes for the end of a line may stand in a label."""
    lines = _lines()
    lines[1]["traces"][0]["events"] = ["a\u2028b\u2029c\x85d", "e"]
    path = samples.write_lines(tmp_path / "x.jsonl", lines)
    case = next(iter(read_results(path).cases.values()))
    assert case.traces[0].events == ("a\u2028b\u2029c\x85d", "e")


def test_an_event_with_a_value_keeps_it(tmp_path: Path) -> None:
    """[label, value] is an event, whatever scalar the value is."""
    lines = _lines()
    events = [["a", 1.5], ["b", None], ["c", True], "d"]
    lines[1]["traces"][0]["events"] = events
    path = samples.write_lines(tmp_path / "x.jsonl", lines)
    case = next(iter(read_results(path).cases.values()))
    assert case.traces[0].events == (
        ("a", 1.5), ("b", None), ("c", True), "d"
    )
    assert [show_event(event) for event in case.traces[0].events] == [
        "a: 1.5", "b: null", "c: true", "d"
    ]


def _cut_footer(lines: Lines) -> None:
    lines.pop()


def _newer(lines: Lines) -> None:
    lines[0]["format"] = 2


def _twice(lines: Lines) -> None:
    lines.insert(2, dict(lines[1]))


def _after(lines: Lines) -> None:
    lines.append(dict(lines[1]))


def _totals(lines: Lines) -> None:
    lines[-1]["totals"]["pass"] = 7


def _unexpected(lines: Lines) -> None:
    lines[-1]["unexpected"] = 0


def _fewer(lines: Lines) -> None:
    lines[0]["selected"] = 9


def _verdict(lines: Lines) -> None:
    lines[3]["verdict"] = "splendid"


def _event(lines: Lines) -> None:
    lines[1]["traces"][0]["events"] = [["a", [1]]]


def _type(lines: Lines) -> None:
    lines[2]["unexpected"] = 1


def _headless(lines: Lines) -> None:
    del lines[0]


def _nameless(lines: Lines) -> None:
    lines[0]["implementation"] = {"version": "1"}


def _kind(lines: Lines) -> None:
    lines[2]["kind"] = "remark"


@pytest.mark.parametrize(
    ("spoil", "line", "told"),
    [
        (_cut_footer, None, "truncated: no footer"),
        (_newer, 1, "format 2 is not the format 1"),
        (_twice, 3, "here twice"),
        (_after, 8, "after the footer"),
        (_totals, 7, "totals contradict"),
        (_unexpected, 7, "number of unexpected cases contradicts"),
        (_fewer, 7, "9 cases were selected, but 5 are here"),
        (_verdict, 4, "unknown verdict 'splendid'"),
        (_event, 2, "an event is a label or"),
        (_type, 3, "'unexpected' has the wrong type"),
        (_headless, 1, "begins with a header"),
        (_nameless, 1, "needs a name and a version"),
        (_kind, 3, "unknown kind of line"),
    ],
)
def test_a_file_that_cannot_be_believed_is_refused_by_file_and_line(
    tmp_path: Path,
    spoil: Callable[[Lines], None],
    line: int | None,
    told: str,
) -> None:
    """One fault each; the message names where it is."""
    lines = _lines()
    spoil(lines)
    path = samples.write_lines(tmp_path / "x.jsonl", lines)
    with pytest.raises(ResultsError) as error:
        read_results(path)
    assert told in str(error.value)
    where = str(path) if line is None else f"{path}:{line}"
    assert error.value.place == where


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"{\n", "not JSON"),
        (b"[]\n", "not an object"),
        (b"\xff\xfe\n", "no text in UTF-8"),
    ],
)
def test_what_is_no_results_file_is_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    """Other people's bytes never become a traceback."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=told):
        read_results(path)


def test_a_line_cut_in_the_middle_is_refused(tmp_path: Path) -> None:
    """A full disk leaves half a line."""
    text = "".join(json.dumps(line) + "\n" for line in _lines())
    path = tmp_path / "x.jsonl"
    for cut in (1, len(text) // 3, len(text) // 2, len(text) - 3):
        path.write_text(text[:cut])
        with pytest.raises(ResultsError):
            read_results(path)


def test_an_interrupted_run_is_read_and_says_so(tmp_path: Path) -> None:
    """complete: false is a whole file about a part of the cases."""
    lines = samples.results_lines(
        "ref", "0.1.0", samples.good_cases()[:2], complete=False, selected=5
    )
    results = read_results(samples.write_lines(tmp_path / "r.jsonl", lines))
    assert not results.complete
    assert results.header.selected == 5


def test_two_suite_versions_do_not_stand_side_by_side(tmp_path: Path) -> None:
    """Their cases may have changed in between."""
    paths = samples.write_results(tmp_path)
    samples.write_lines(paths[1], samples.results_lines(
        "node", "20.20.2", samples.bad_cases(), suite="0.2.0"))
    with pytest.raises(ResultsError, match="cannot be compared"):
        read_many(paths)


def test_one_implementation_stands_there_once(tmp_path: Path) -> None:
    """The same label from two folders is ambiguous."""
    first = samples.write_results(tmp_path / "a")
    second = samples.write_results(tmp_path / "b")
    with pytest.raises(ResultsError, match="ref-0.1.0 is in"):
        read_many([*first, second[0]])


def test_a_label_is_a_file_name() -> None:
    """Whatever an adapter calls itself."""
    assert label_of("node", "20.20.2") == "node-20.20.2"
    assert label_of("my loop", "1/2") == "my_loop-1_2"
    assert label_of("bare", "") == "bare"
