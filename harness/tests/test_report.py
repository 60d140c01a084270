# SPDX-License-Identifier: MIT
"""The HTML report: its numbers, its escaping, and that it asks nobody."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import samples

from plumbline.catalog import read_catalog
from plumbline.errors import ReportError
from plumbline.places import Places, find_places
from plumbline.report import write_large_report, write_report
from plumbline.report._overview import overview
from plumbline.report._scale import CASES, IMPLEMENTATIONS
from plumbline.report._coverage import coverage
from plumbline.report._lanes import LANES, lanes_of
from plumbline.report._pack import pack
from plumbline.report._write import SCRIPTS, embed, environment
from plumbline.results import Results, read_many, read_results


def _places(tmp_path: Path) -> Places:
    return Places(find_places().root, samples.write_build(tmp_path / "build"))


def _write(tmp_path: Path) -> Path:
    places = _places(tmp_path)
    return write_report(
        read_catalog(places.corpus, places.rules),
        read_many(samples.write_results(tmp_path / "results")),
        tmp_path / "report",
        places,
    )


def _data(page: Path) -> dict[str, object]:
    text = page.read_text()
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', text,
        re.DOTALL,
    )
    assert found
    value: dict[str, object] = json.loads(found.group(1))
    return value


def test_the_overview_of_two_implementations(tmp_path: Path) -> None:
    """Areas and levels against implementations, to the letter."""
    places = _places(tmp_path)
    results = read_many(samples.write_results(tmp_path / "results"))
    page = environment(places).get_template("overview.html").render(
        lines=overview(results),
        kinds={"pass": "pass"},
        implementations=[
            {"label": r.label, "language": "C", "machine": "Linux",
             "seconds": 1.0, "complete": r.complete} for r in results
        ],
    )
    samples.golden("overview.html", page)


class _Links(HTMLParser):
    """Collects what a page would load, and its scripts' beginnings."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]


def test_the_page_loads_only_what_lies_beside_it(tmp_path: Path) -> None:
    """No server, no request to anybody."""
    page = _write(tmp_path)
    reader = _Links()
    reader.feed(page.read_text())
    files = [link for link in reader.links
             if not link.startswith(("#", "data:"))]
    assert files == ["report.css", *SCRIPTS]
    for name in files:
        text = (page.parent / name).read_text()
        assert not re.search(r"https?://|@import|url\(", text)


def test_hostile_text_never_becomes_markup(tmp_path: Path) -> None:
    """Rule text, labels and stderr of the samples all attack the page."""
    page = _write(tmp_path)
    text = page.read_text()
    assert samples.HOSTILE not in text
    assert "<img" not in text
    reader = _Links()
    reader.feed(text)
    assert reader.tags.count("script") == 1 + len(SCRIPTS)
    assert "img" not in reader.tags
    assert samples.HOSTILE in json.dumps(_data(page)).replace('\\"', '"')


def test_embedded_json_is_json_and_holds_no_tag() -> None:
    """What ends a script element cannot be in it."""
    value = {"a": "</script><!-- &amp; \u2028", "b": [1, None, True]}
    text = embed(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_the_data_has_every_case_and_result(tmp_path: Path) -> None:
    """A cell per case and implementation, with its own traces."""
    data = _data(_write(tmp_path))
    cases = data["cases"]
    assert isinstance(cases, list)
    assert len(cases) == len(samples.CASES)
    by_id = {case["id"]: case for case in cases}
    bad = by_id["loop/check/immediate-before-timeout-inside-io"]
    good, wrong = bad["results"]
    assert good == 1.2  # a plain pass is its milliseconds
    assert wrong["u"] == 1
    assert wrong["t"] == [[["timeout", "immediate"], 1, 0]]
    assert wrong["ex"]["at"] == 0
    lines = data["lines"]
    assert isinstance(lines, list) and len(lines) == len(set(lines))
    assert any("setImmediate" in lines[n] for n in bad["javascript"])


def test_what_is_packed_is_not_lost() -> None:
    """Each of what is left out, and what is near to it."""
    plain: dict[str, Any] = {"v": "pass", "ms": 1.5}
    silent: dict[str, Any] = {"v": "unsupported", "t": [], "ms": 0.0,
                              "d": "needs a"}
    case: dict[str, Any] = {
        "id": "loop/a/b", "rule": "R", "level": "MUST", "area": "loop",
        "at": "conformance/cases/loop/a.yaml:7", "claim": "",
        "program": "x\ny\nx", "javascript": "y",
        "results": [plain, {**plain, "n": 3}, silent, {**silent, "ms": 2.0},
                    None]}
    other = {**case, "at": "conformance/cases/loop/b.yaml:7", "area": "heap",
             "level": "MAY", "claim": "c"}
    packed = pack({"rules": {"R": {"level": "MUST"}}, "cases": [case, other]})
    assert packed["lines"] == ["x", "y"]
    assert packed["cases"][0] == {
        "id": "loop/a/b", "rule": "R", "at": 7, "program": [0, 1, 0],
        "javascript": [1],
        "results": [1.5, {**plain, "n": 3}, "needs a",
                    {**silent, "ms": 2.0}, None]}
    assert {k: packed["cases"][1][k] for k in (
        "at", "area", "level", "claim")} == {
        "at": "conformance/cases/loop/b.yaml:7", "area": "heap",
        "level": "MAY", "claim": "c"}


def test_a_case_that_was_not_run_is_counted_against(tmp_path: Path) -> None:
    """Every implementation has the same denominator."""
    few = samples.results_lines("few", "1", samples.good_cases()[:1])
    paths = [*samples.write_results(tmp_path),
             samples.write_lines(tmp_path / "few-1.jsonl", few)]
    total = overview(read_many(paths))[0]
    assert [cell.counted for cell in total.cells] == [5, 5, 5]
    assert [cell.passed for cell in total.cells] == [5, 0, 1]


def test_a_disputed_case_is_in_no_denominator(tmp_path: Path) -> None:
    """Not even of the implementation that passes it."""
    cases = samples.good_cases()
    cases[0] = samples.result(cases[0]["id"], "disputed")
    paths = [*samples.write_results(tmp_path), samples.write_lines(
        tmp_path / "d-1.jsonl", samples.results_lines("d", "1", cases))]
    total = overview(read_many(paths))[0]
    assert [cell.counted for cell in total.cells] == [4, 4, 4]


def test_a_case_that_left_the_corpus_is_still_shown(tmp_path: Path) -> None:
    """Without its program, and after all others; of an implementation that
    nobody here knows any more."""
    places = _places(tmp_path)
    gone = samples.good_cases()
    gone[0]["id"] = "loop/check/gone"
    path = samples.write_lines(
        tmp_path / "x-1.jsonl", samples.results_lines("x", "1", gone))
    page = write_report(read_catalog(places.corpus, places.rules),
                        [read_results(path)], tmp_path / "report", places)
    cases = _data(page)["cases"]
    assert isinstance(cases, list)
    assert cases[-1]["id"] == "loop/check/gone"
    again = _data(page)["implementations"][0]["again"]  # type: ignore[index]
    assert again == "./plumbline run --adapter CMD --name x-1 --select "
    assert "program" not in cases[-1]


def _other_suite(tmp_path: Path) -> Results:
    lines = samples.results_lines("x", "1", samples.good_cases(),
                                  suite="9.9.9")
    return read_results(samples.write_lines(tmp_path / "x-1.jsonl", lines))


def test_results_of_another_suite_are_refused(tmp_path: Path) -> None:
    """Their cases may mean something else."""
    places = _places(tmp_path)
    with pytest.raises(ReportError, match="9.9.9"):
        write_report(read_catalog(places.corpus, places.rules),
                     [_other_suite(tmp_path)], tmp_path / "r", places)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """One message with the place."""
    places = _places(tmp_path)
    (tmp_path / "file").write_text("")
    results = read_many(samples.write_results(tmp_path / "results"))
    with pytest.raises(ReportError, match="cannot be written") as error:
        write_report(read_catalog(places.corpus, places.rules), results,
                     tmp_path / "file" / "report", places)
    assert "file" in str(error.value.place)


def test_an_event_has_the_lane_of_its_callback() -> None:
    """Bodies in bodies, lists of bodies, labels that an operation logs."""
    found = lanes_of({
        "main": [
            {"log": "a"},
            {"fs.stat": {"path": ".", "then": [
                {"log": ["b", "$result"]},
                {"immediate": {"each": [[{"log": "c"}],
                                        [{"tick": {"then": [{"log": "d"}]}},
                                         {"log": "a"}]]}},
            ]}},
            {"run": {"mode": "once", "log": "e"}},
            {"chain": {"of": "microtask", "length": 3,
                       "then": [{"log": "f"}]}},
            {"close": {"of": "x", "then": [{"log": "g"}]}},
        ],
        "bodies": [[{"log": "h"}]],
        "roles": {"primary": [{"log": "i"}], "worker": [{"log": "j"}]},
    })
    assert {label: LANES[lane] for label, lane in found.items()} == {
        "a": "main", "b": "poll", "c": "check", "d": "ticks", "e": "main",
        "f": "microtasks", "g": "closing", "h": "modules", "i": "main",
        "j": "other processes"}


def test_coverage_counts_cases_and_mutants(tmp_path: Path) -> None:
    """A line per rule, also of one without mutants."""
    places = _places(tmp_path)
    catalog = read_catalog(places.corpus, places.rules)
    io, main = (case["id"] for case in samples.CASES[:2])
    found = coverage(catalog, {io: ["m1", "m2"], main: ["m1"]})
    assert [(one.rule.id, len(one.cases), list(one.mutants))
            for one in found] == [
        ("LOOP-CHECK-2", 2, ["m1", "m2"]), ("LOOP-TIMER-1", 2, []),
        ("MOD-MAIN-1", 1, [])]


def test_the_large_report_is_as_large_as_it_says(tmp_path: Path) -> None:
    """And is made of results that the strict reader believes."""
    made = write_large_report(_places(tmp_path), tmp_path)
    data = _data(made.page)
    assert isinstance(data["cases"], list)
    assert isinstance(data["implementations"], list)
    assert (len(data["cases"]), len(data["implementations"])) == (
        CASES, IMPLEMENTATIONS)
    assert made.size > made.page.stat().st_size > 0
