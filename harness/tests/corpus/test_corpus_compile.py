# SPDX-License-Identifier: MIT
"""The command line: what it writes (golden files), what it tells, and how it
ends. The golden files stand in data/golden/; after a meant change,
`PLUMBLINE_GOLDEN=write pytest` writes them anew, to be read in the diff."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from plumbline import __version__
from plumbline.corpus._cli import main

GOLDEN = Path(__file__).with_name("data") / "golden"
OUTPUTS = ("corpus.jsonl", "rules.json", "expectations.json")


def compiled(root: Path, out: Path, *more: str) -> int:
    return main(["compile", "--root", str(root), "--out", str(out), *more])


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_small_corpus_compiles_to_the_golden_files(
    small: Path, tmp_path: Path, name: str
) -> None:
    """Byte for byte."""
    assert compiled(small, tmp_path / "out") == 0
    made = (tmp_path / "out" / name).read_text(encoding="utf-8")
    golden = GOLDEN / name
    if os.environ.get("PLUMBLINE_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


def test_the_same_sources_make_the_same_bytes(
    small: Path, tmp_path: Path
) -> None:
    """Neither time nor the output's place leaves a trace."""
    compiled(small, tmp_path / "a")
    compiled(small, tmp_path / "b")
    for name in OUTPUTS:
        assert (tmp_path / "a" / name).read_bytes() == (
            tmp_path / "b" / name).read_bytes()


def test_the_version_is_that_of_the_build(root: Path) -> None:
    """One project, one version."""
    text = (root / "meson.build").read_text(encoding="utf-8")
    assert f"version: '{__version__}'" in text


def test_nothing_is_written_when_something_is_wrong(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors are told on stderr, with their number; the status is 1."""
    case = small / "conformance" / "cases" / "loop" / "check.yaml"
    case.write_text(case.read_text().replace("log: timeout", "lug: timeout"))
    assert compiled(small, tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "conformance/cases/loop/check.yaml:8: unknown operation `lug`; did "
        "you mean `log`?",
        "conformance/cases/loop/check.yaml:15: unknown operation `lug`; did "
        "you mean `log`?",
        "2 errors in the corpus",
    ]


def test_a_draft_leaves_out_what_is_wrong(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And tells it; the status is 0."""
    case = small / "conformance" / "cases" / "loop" / "check.yaml"
    case.write_text(case.read_text().replace("log: timeout", "lug: timeout",
                                             1))
    assert compiled(small, tmp_path / "out", "--draft") == 0
    head = (tmp_path / "out" / "corpus.jsonl").read_text().splitlines()[0]
    assert json.loads(head)["cases"] == 5
    assert "draft: 1 errors, whose cases are left out" in (
        capsys.readouterr().err)


def test_a_rule_without_a_case_is_an_error(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when the case that cites it has an error of its own, it is not
    told twice."""
    spec = small / "conformance" / "spec" / "loop.md"
    spec.write_text(spec.read_text() + "\n### LOOP-A-1 (MAY) So\nSource: x\n")
    assert main(["lint", "--root", str(small)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "conformance/spec/loop.md:14: the rule LOOP-A-1 has no case; write "
        "one in conformance/cases/loop/",
        "1 error in the corpus",
    ]


def test_a_rule_cited_by_a_wrong_case_has_a_case(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One mistake is one message."""
    case = small / "conformance" / "cases" / "loop" / "check.yaml"
    text = case.read_text()
    case.write_text(text.replace("log: [t, $", "lug: [t, $"))
    assert main(["lint", "--root", str(small)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "conformance/cases/loop/check.yaml:35: unknown operation `lug`; did "
        "you mean `log`?",
        "1 error in the corpus",
    ]
    case.write_text(text.replace("cases:", "cases: ["))
    assert main(["lint", "--root", str(small)]) == 1
    told = capsys.readouterr().err
    assert "has no case" not in told and "not YAML" in told


def test_ids_are_unique(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two cases, or two matrix values that are spelt alike."""
    case = small / "conformance" / "cases" / "loop" / "check.yaml"
    case.write_text("""\
rule: LOOP-CHECK-2
cases:
  - {id: a, program: [{log: x}], expect: [x]}
  - {id: a, program: [{log: x}], expect: [x]}
  - {id: "b{p}", matrix: {p: [x/y, x-y]}, program: [{log: "{p}"}],
     expect: ["{p}"]}
  - {id: c, rule: LOOP-LISTS-1, traits: [timer-lists], program: [{log: x}],
     expect: [x]}
""")
    (small / "conformance" / "expectations" / "node.yaml").unlink()
    assert main(["lint", "--root", str(small)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "conformance/cases/loop/check.yaml:4: the id loop/check/a stands "
        "already in line 3; an id is permanent and its own: take another "
        "name",
        "conformance/cases/loop/check.yaml:5: the id loop/check/bx-y stands "
        "already in line 5; two matrix values are spelt alike in an id: use "
        "rows `{name: x, part: y}`",
        "2 errors in the corpus",
    ]


def test_misplaced_files_are_told(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that would be overlooked is an error."""
    cases = small / "conformance" / "cases"
    (cases / "lost.yaml").write_text("x")
    (cases / "loop" / "more.yml").write_text("x")
    assert main(["lint", "--root", str(small)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "conformance/cases/loop/more.yml:1: a case file with the suffix "
        "`.yml`; call it `.yaml`",
        "conformance/cases/lost.yaml:1: a case file outside an area's "
        "folder; move it to conformance/cases/<area>/",
        "2 errors in the corpus",
    ]


def test_lint_counts(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clean corpus is told in one line."""
    assert main(["lint", "--root", str(small)]) == 0
    assert capsys.readouterr().out == "2 rules, 6 cases, 0 warnings\n"


def test_strict_lint_fails_on_warnings(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings are told always, and count only when asked to."""
    case = small / "conformance" / "cases" / "loop" / "check.yaml"
    case.write_text(case.read_text().replace("    runs: 50\n", ""))
    assert main(["lint", "--root", str(small)]) == 0
    assert main(["lint", "--root", str(small), "--strict"]) == 1
    assert "check.yaml:16: warning: " in capsys.readouterr().err


def test_the_depfile_names_files_folders_and_the_compiler(
    small: Path, tmp_path: Path
) -> None:
    """So that a new or removed file is noticed as well as a changed one."""
    out, dep, stamp = (tmp_path / n for n in ("out", "c.d", "c.stamp"))
    assert compiled(small, out, "--depfile", str(dep), "--stamp",
                    str(stamp)) == 0
    text = dep.read_text()
    target, _, sources = text.partition(": ")
    assert target == str(stamp)
    named = [s.replace("\\ ", " ").strip() for s in sources.split(" \\\n")]
    base = small / "conformance"
    for path in (base / "cases", base / "cases" / "loop", base / "spec",
                 base / "cases" / "loop" / "check.yaml",
                 base / "spec" / "loop.md", base / "expectations",
                 base / "expectations" / "node.yaml",
                 base / "schema" / "vocabulary",
                 base / "schema" / "vocabulary" / "loop.yaml"):
        assert str(path) in named
    assert any(name.endswith("corpus/_cases.py") for name in named)
    assert all(Path(name).exists() for name in named)
    assert stamp.exists()


def test_what_cannot_be_read_or_written_is_told(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, one line, no traceback."""
    (tmp_path / "file").write_text("")
    assert compiled(small, tmp_path / "file" / "out") == 2
    assert compiled(tmp_path / "nowhere", tmp_path / "out") == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"{tmp_path}/file/out/corpus.jsonl: cannot be written: Not a "
        "directory",
        "conformance/schema/vocabulary: no vocabulary is there; it is a "
        "folder of .yaml files, one an area",
    ]


def test_a_wrong_command_line_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """argparse's status 2."""
    with pytest.raises(SystemExit) as ended:
        main(["compile"])
    assert ended.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_a_checkout_without_cases_compiles_to_none(
    small: Path, tmp_path: Path
) -> None:
    """An empty corpus is a corpus."""
    base = small / "conformance"
    for path in (*base.glob("cases/loop/*"), *base.glob("spec/*"),
                 *base.glob("expectations/*")):
        path.unlink()
    assert compiled(small, tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / "corpus.jsonl").read_text()) == {
        "kind": "corpus", "format": 1, "suite": __version__, "cases": 0,
        "rules": 0}
