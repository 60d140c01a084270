# SPDX-License-Identifier: MIT
"""Results in the formats of other programs, byte for byte."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import]
import pytest
import samples

from plumbline import export
from plumbline.catalog import read_catalog
from plumbline.commands.export import command as export_command
from plumbline.errors import BuildError, ReportError, ResultsError
from plumbline.places import find_places
from plumbline.results import Results, read_many

ROOT = Path(__file__).parents[2]


@pytest.fixture()
def some(tmp_path: Path) -> list[Results]:
    """A good and a bad implementation."""
    return read_many(samples.write_results(tmp_path))


def test_markdown_is_as_it_was(some: list[Results]) -> None:
    samples.golden("summary.md", export.markdown(some))


def test_junit_is_as_it_was(some: list[Results]) -> None:
    samples.golden("junit.xml", export.junit(some))


def test_tap_is_as_it_was(some: list[Results]) -> None:
    samples.golden("results.tap", export.tap(some))


def test_a_badge_is_as_it_was(some: list[Results]) -> None:
    samples.golden("badge.svg", export.badge(some[1]))


def test_annotations_are_as_they_were(
    some: list[Results], tmp_path: Path
) -> None:
    samples.write_build(tmp_path / "b")
    catalog = read_catalog(tmp_path / "b/corpus/corpus.jsonl",
                           tmp_path / "b/corpus/rules.json")
    samples.golden("annotations.txt",
                   export.github_annotations(some, catalog.cases))


def test_the_summary_fits_its_schema(some: list[Results]) -> None:
    schema: Any = json.loads(
        (ROOT / "conformance/schema/summary.schema.json").read_text())
    text = export.summary_json(some)
    jsonschema.validate(json.loads(text), schema)
    samples.golden("summary.json", text)


def _xmllint(text: str, path: Path) -> None:
    program = shutil.which("xmllint")
    if program is None:
        pytest.skip("xmllint is not here (Debian: libxml2-utils)")
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [program, "--noout", "--nonet", "--schema",
         str(ROOT / "reports/schema/junit.xsd"), str(path)],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_junit_fits_its_schema(some: list[Results], tmp_path: Path) -> None:
    _xmllint(export.junit(some), tmp_path / "junit.xml")


def test_the_judges_own_junit_fits_too(tmp_path: Path) -> None:
    """Of a failing adapter: a skeleton, which gets one case wrong."""
    places = find_places()
    try:
        words = [str(places.conform), "--corpus", str(places.corpus)]
    except BuildError as error:
        pytest.skip(str(error))
    adapter = ROOT / "conformance/adapters/skeletons/python/adapter.py"
    done = subprocess.run(
        [*words, "--adapter", f"python3 {shlex.quote(str(adapter))}",
         "--select", "LOOP-TIMEOUT-11", "--format", "junit"],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "<failure>" in done.stdout
    _xmllint(done.stdout, tmp_path / "junit.xml")


def test_junit_of_text_that_xml_does_not_have(
    some: list[Results], tmp_path: Path
) -> None:
    """Whatever an adapter wrote becomes a document."""
    bad = some[1]
    cases = {
        id: replace(case, stderr="\x00\x1b[31m\ud800\uffff]]>&<",
                    detail="\x07\"'<&>", unexpected=True, verdict="error")
        for id, case in bad.cases.items()
    }
    text = export.junit([replace(bad, cases=cases)])
    assert "\x00" not in text and "\x1b" not in text
    _xmllint(text, tmp_path / "junit.xml")


def test_markdown_shows_hostile_text_as_it_is(some: list[Results]) -> None:
    bad = some[1]
    cases = {
        id: replace(case, explanation=None, unexpected=True, verdict="fail",
                    detail="| <script>`[x](y)`\nnext")
        for id, case in bad.cases.items()
    }
    text = export.markdown([replace(bad, cases=cases)])
    assert "<script>" not in text
    assert "\\| &lt;script&gt;\\`\\[x\\](y)\\`" in text


@pytest.mark.parametrize("lines, said", [
    (samples.results_lines("x", "1", []), "no case was judged"),
    (samples.results_lines("x", "1", samples.good_cases()[:1], False),
     "the run was interrupted"),
    (samples.results_lines("x", "1", [
        samples.result("modules/main/index", "error"),
        samples.result("loop/timers/same-duration", "unsupported"),
    ]), "every case ended in an error"),
], ids=["nothing", "interrupted", "errored"])
def test_what_proves_nothing_is_refused(
    lines: list[dict[str, Any]], said: str, tmp_path: Path
) -> None:
    path = samples.write_lines(tmp_path / "x-1.jsonl", lines)
    with pytest.raises(ResultsError, match=said):
        export.must_prove(read_many([path]))


def test_what_is_not_promised_is_no_error(tmp_path: Path) -> None:
    """A set of cases that an implementation does not claim."""
    lines = samples.results_lines("x", "1", [
        samples.result("modules/main/index", "unsupported")])
    path = samples.write_lines(tmp_path / "x-1.jsonl", lines)
    export.must_prove(read_many([path]))


def test_a_badge_of_a_shard_is_refused(tmp_path: Path) -> None:
    """15 of 15 of a quarter of the cases."""
    path = samples.write_lines(tmp_path / "x-1.jsonl", samples.results_lines(
        "x", "1", samples.good_cases(), command=["c", "--shard", "1/4"]))
    with pytest.raises(ResultsError, match="this is shard 1 of 4"):
        export_command.callback("badge", (path,), None)  # type: ignore[misc]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    export.write_text(tmp_path / "a/b.txt", "x")
    assert (tmp_path / "a/b.txt").read_text() == "x"
    with pytest.raises(ReportError, match="cannot be written"):
        export.write_text(tmp_path / "a/b.txt/c", "y")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b.txt"]
