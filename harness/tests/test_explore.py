# SPDX-License-Identifier: MIT
"""`plumbline explore`: traces as a set, the tree, statuses, no traceback.

The explorer is a script here that answers as `plumb-explore` does; what the
real one finds is tested beside it, in conformance/host/tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import samples

from plumbline.exploration import Exploration, tree_lines

HARNESS = Path(__file__).parents[1]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

_ANSWER = {
    "traces": [["immediate", "timeout"], ["timeout", "immediate"]],
    "complete": True, "limit": None, "runs": 10, "states": 4,
    "seconds": 0.001,
    "tree": {
        "root": {"decision": 1},
        "decisions": [
            {"what": "what happens", "options": [
                {"answers": ["a ends"], "to": {"trace": 0}},
                {"answers": ["b ends"], "to": {"trace": 1}}]},
            {"what": "time that passes", "options": [
                {"answers": ["0 ms"], "to": {"decision": 0}},
                {"answers": ["1 ms", "2 ms"], "to": {"trace": 1}}]},
        ],
    },
}

_FAKE = """\
#!{python}
import json, os, sys
asked = sys.stdin.read()
with open(os.environ["ASKED"], "a") as file:
    file.write(json.dumps([sys.argv[2:], asked]) + "\\n")
mode = os.environ.get("MODE", "")
answer = json.loads({answer!r})
if mode == "broken":
    print("plumb-explore: main[0]: no such thing", file=sys.stderr)
    sys.exit(2)
if "--check" in sys.argv:
    print("too wide: it allows\\n    [x]\\n0 exact, 1 wrong")
    sys.exit(1 if mode == "wide" else 0)
if mode == "limit":
    answer.update(complete=False, limit="more than 5 runs: not all")
print("garbage" if mode == "garbage" else json.dumps(answer))
sys.exit(3 if mode == "limit" else 0)
"""


@pytest.fixture()
def cli(tmp_path: Path) -> Cli:
    build = tmp_path / "build"
    samples.write_build(build)
    script = build / "conformance/host/plumb-explore"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_FAKE.format(python=sys.executable,
                                   answer=json.dumps(_ANSWER)))
    script.chmod(0o755)
    library = build / "ref/libplumb-ref.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    library.touch()

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(HARNESS),
               "PLUMBLINE_BUILD": str(build), "HOME": str(tmp_path),
               "PLUMBLINE_OUT": str(tmp_path / "out"),
               "LANG": "C.UTF-8", "ASKED": str(tmp_path / "asked"), **more}
        return subprocess.run(
            [sys.executable, "-m", "plumbline.cli", "explore", *words],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300)

    return run


def _asked(tmp_path: Path) -> list[tuple[list[str], str]]:
    lines = (tmp_path / "asked").read_text().splitlines()
    return [(words, text) for words, text in map(json.loads, lines)]


CASE = "loop/check/immediate-before-timeout-inside-io"


def test_a_case_is_shown_with_its_tree_and_its_pattern(
    cli: Cli, tmp_path: Path
) -> None:
    """By its short id as well; the numbers in the tree are the traces'."""
    done = cli(CASE.rsplit("/", 1)[-1])
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == CASE
    assert "2 traces in 10 runs (4 states" in lines[1]
    assert lines[3:5] == ["   1  immediate  timeout",
                          "   2  timeout  immediate"]
    assert lines[6:] == [
        "  time that passes",
        "  ├ 0 ms → what happens",
        "  │ ├ a ends → 1",
        "  │ └ b ends → 2",
        "  └ 1 ms or 2 ms → 2",
        "",
        "The case's pattern allows exactly these.",
    ]
    assert ["--case", CASE] == _asked(tmp_path)[0][0][2:4]


def test_a_pattern_that_disagrees_ends_with_1(cli: Cli) -> None:
    """And says what it allows."""
    done = cli(CASE, MODE="wide")
    assert done.returncode == 1
    assert "too wide: it allows\n    [x]" in done.stdout


def test_a_limit_ends_with_1_and_is_said(cli: Cli) -> None:
    """What was found is shown, and is not called all."""
    done = cli(CASE, "--max-runs", "5", MODE="limit")
    assert done.returncode == 1
    assert "more than 5 runs: these are not all" in done.stdout
    assert "exactly" not in done.stdout


def test_a_file_is_checked_and_written_out(cli: Cli, tmp_path: Path) -> None:
    """`repeat` is gone before the explorer sees the program."""
    (tmp_path / "p.yaml").write_text(
        "pool: 2\nprogram:\n"
        "  - repeat: {times: 2, do: [{log: x$i}]}\n")
    done = cli("p.yaml", "--slack", "5", "--late", "0", "--any-order")
    assert (done.returncode, done.stderr) == (0, "")
    words, text = _asked(tmp_path)[0]
    assert words[-5:] == ["--any-order", "--slack", "5", "--late", "0"]
    assert json.loads(text) == {
        "program": {"main": [{"log": "x0"}, {"log": "x1"}], "pool": 2}}


@pytest.mark.parametrize("text", [
    '[{"log": "a"}]', '{"main": [{"log": "a"}]}',
    '{"program": {"main": [{"log": "a"}]}}', "- log: a\n",
])
def test_a_program_may_be_written_in_several_ways(
    cli: Cli, tmp_path: Path, text: str
) -> None:
    """JSON and YAML, bare or as a case has it."""
    (tmp_path / "p.json").write_text(text)
    assert cli("p.json").returncode == 0
    assert json.loads(_asked(tmp_path)[0][1]) == {
        "program": {"main": [{"log": "a"}]}}


def test_a_file_of_cases_gives_each_case(cli: Cli, tmp_path: Path) -> None:
    """With its files and its pool; --json is an array then."""
    (tmp_path / "c.yaml").write_text("""\
rule: LOOP-CHECK-2
cases:
  - {id: one, program: [{log: a}], expect: [a], files: {d/f: text}}
  - {id: two, program: [{log: b}], expect: [b], isolation: process, pool: 3}
""")
    done = cli("c.yaml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [v["name"] for v in json.loads(done.stdout)] == ["one", "two"]
    assert json.loads(_asked(tmp_path)[1][1])["program"] == {
        "main": [{"log": "b"}], "pool": 3}


def test_json_is_what_the_explorer_said(cli: Cli) -> None:
    """One object for one program."""
    told: dict[str, object] = {"name": CASE, **_ANSWER}
    assert json.loads(cli(CASE, "--json").stdout) == told


@pytest.mark.parametrize(("name", "text", "told"), [
    ("p.yaml", "- nonsense: 1\n", "p.yaml:1: unknown operation `nonsense`"),
    ("p.yaml", "program: []\n", "no program stands here"),
    ("p.yaml", "", "no program stands here"),
    ("p.yaml", "a: [\n", "p.yaml:"),
    ("p.yaml", "- {log: a}\n- {clear: x}\n", "p.yaml:2:"),
    ("p.yaml", "cases: [{id: a}]\n", "p.yaml:1:"),
])
def test_a_wrong_file_is_told_with_its_line(
    cli: Cli, tmp_path: Path, name: str, text: str, told: str
) -> None:
    """Status 2, one message, no traceback."""
    (tmp_path / name).write_text(text)
    done = cli(name)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


@pytest.mark.parametrize(("words", "told"), [
    (["immediate-before-timeout-inside-oi"], "did you mean immediate-before-timeout-inside-io or"),
    (["none.yaml"], "no such file"),
    ([CASE, "--slack", "-1"], "--slack"),
    ([CASE, "--max-runs", "many"], "--max-runs"),
    ([], "CASE|FILE"),
])
def test_a_wrong_command_line_ends_with_2(
    cli: Cli, words: list[str], told: str
) -> None:
    """And says what would be right."""
    done = cli(*words)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize(("mode", "told"), [
    ("broken", "main[0]: no such thing"), ("garbage", "is not JSON"),
])
def test_an_explorer_that_fails_is_told(
    cli: Cli, mode: str, told: str
) -> None:
    """Its own words, without its name."""
    done = cli(CASE, MODE=mode)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_decision_that_two_answers_lead_to_is_written_once() -> None:
    """And referred to by its letter."""
    both = {"decision": 0}
    tree = {"root": {"decision": 1}, "decisions": [
        {"what": "inner", "options": [
            {"answers": ["a"], "to": {"trace": 0}},
            {"answers": ["b"], "to": None}]},
        {"what": "outer", "options": [
            {"answers": ["x"], "to": both}, {"answers": ["y"], "to": both}]}]}
    assert tree_lines(Exploration({"tree": tree})) == [
        "outer", "├ x → inner  [a]", "│ ├ a → 1", "│ └ b → ?",
        "└ y → inner, as at [a]"]


def test_a_large_tree_is_cut() -> None:
    """The terminal is for reading."""
    decisions = [{"what": f"q{i}", "options": [
        {"answers": ["a"], "to": {"trace": i}},
        {"answers": ["b"], "to": {"decision": i - 1} if i else {"trace": 99}},
    ]} for i in range(60)]
    lines = tree_lines(Exploration(
        {"tree": {"root": {"decision": 59}, "decisions": decisions}}))
    assert len(lines) == 41
    assert lines[-1] == "… and 81 more lines; --json has all"
