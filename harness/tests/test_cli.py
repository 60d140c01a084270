# SPDX-License-Identifier: MIT
"""The command line as a user meets it: statuses, messages, no traceback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import samples

from plumbline.places import find_places
from plumbline.results import read_results

HARNESS = Path(__file__).parents[1]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture()
def env(tmp_path: Path) -> dict[str, str]:
    """A made-up build, and nothing of the user's own settings or results."""
    samples.write_build(tmp_path / "build")
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(HARNESS),
        "PLUMBLINE_BUILD": str(tmp_path / "build"),
        "PLUMBLINE_OUT": str(tmp_path / "out"),
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
    }


@pytest.fixture()
def cli(tmp_path: Path, env: dict[str, str]) -> Cli:
    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "plumbline.cli", *words],
            cwd=tmp_path, env={**env, **more}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300,
        )

    return run


def test_what_is_as_expected_ends_with_0(cli: Cli, tmp_path: Path) -> None:
    """A table, a report, and results under the implementation's name."""
    done = cli("run", "ref", "libuv", "--out", "o")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ref-0.1.0" in done.stdout
    assert "everything as expected" in done.stdout
    assert "report: o/report/index.html" in done.stdout
    names = sorted(p.name for p in (tmp_path / "o/results").iterdir())
    assert names == ["libuv-0.1.0.jsonl", "ref-0.1.0.jsonl"]
    assert (tmp_path / "o/report/index.html").is_file()


def test_something_unexpected_ends_with_1(cli: Cli) -> None:
    """And is explained with the command that repeats it."""
    done = cli("run", "ref", "--out", "o", FAKE_CONFORM="bad")
    assert done.returncode == 1
    assert "expected `immediate` before `timeout`" in done.stdout
    assert ("again: ./plumbline run ref --select loop/check/"
            "immediate-before-timeout-inside-io") in done.stdout


@pytest.mark.parametrize(("mode", "told"), [
    ("nothing", "no case is selected"),
    ("truncated", "truncated: no footer"),
    ("segv", "the judge was ended by SIGSEGV"),
])
def test_a_run_that_proves_nothing_ends_with_2(
    cli: Cli, tmp_path: Path, mode: str, told: str
) -> None:
    """And leaves no results that look like some."""
    done = cli("run", "ref", "--out", "o", FAKE_CONFORM=mode)
    assert done.returncode == 2
    assert "nothing was proved" in done.stdout
    assert told in done.stdout
    assert list((tmp_path / "o/results").iterdir()) == []


def test_one_that_proves_nothing_does_not_hide_the_others(
    cli: Cli, tmp_path: Path
) -> None:
    """The status is 2, but what was judged is shown."""
    adapter = tmp_path / "none"
    adapter.write_text("#!/bin/sh\n")
    adapter.chmod(0o755)
    conform = tmp_path / "build/conformance/runner/conform"
    text = conform.read_text()
    conform.write_text(text.replace("from fake_conform", (
        "import os\nif '--adapter' in sys.argv:\n"
        "    os.environ['FAKE_CONFORM'] = 'nothing'\nfrom fake_conform")))
    done = cli("run", "ref", "--adapter", str(adapter), "--out", "o")
    assert done.returncode == 2
    assert "5/5" in done.stdout
    assert "none: nothing was proved" in done.stdout


def test_one_that_supports_nothing_of_it_is_no_defect(cli: Cli) -> None:
    """As long as another one was judged."""
    done = cli("run", "ref", "libuv", "--out", "o", FAKE_CONFORM="deaf-libuv")
    assert done.returncode == 0
    assert "libuv supports none of these cases" in done.stdout
    done = cli("run", "libuv", "--out", "o", FAKE_CONFORM="deaf-libuv")
    assert done.returncode == 2
    assert "this run proves nothing" in done.stdout


BAD = [
    (["rnu"], "Did you mean 'run'?"),
    (["run", "nodee"], "no implementation is called 'nodee'"),
    (["run", "node@1.2.3"], "plumbline runtimes add node@1.2.3"),
    (["run", "--repeat", "0"], "--repeat"),
    (["run", "--nonsense"], "--nonsense"),
    (["run", "--name", "x"], "--name belongs to"),
    (["run", "--adapter", "/nonexistent"], "no such adapter"),
    (["run", "--adapter", "/etc/passwd"], "not executable"),
    (["run", "--adapter", "a 'b"], "cannot be read"),
    (["run", "--provider", "/nonexistent.so"], "no such provider"),
    (["run", "--adapter", "/bin/true", "--provider", "/bin/true"],
     "exclude each other"),
    (["run", "--adapter", "/bin/true", "--name", "../x"], "a file's name"),
    (["run", "ref", "--out", "/proc/nothing"], "--out FOLDER"),
    (["run", "ref", "--out", "/etc/passwd"], "--out FOLDER"),
    (["explain", "LOOP-CHCK-2"], "did you mean LOOP-CHECK-2"),
    (["explain"], "ID"),
    (["list", "--area", "none"], "areas: loop, modules"),
    (["list", "--select", "none"], "no case is selected by"),
    (["list", "--level", "MAY"], "no cases fit"),
    (["list", "operations", "--needs", "none"], "no operations need"),
    (["list", "wishes"], "wishes"),
    (["report", "/nonexistent.jsonl"], "cannot be read"),
    (["report", "/etc/passwd"], "not JSON"),
    (["runtimes", "add"], "SPEC"),
    (["runtimes", "add", "ref"], "not installed from npm"),
    (["runtimes", "add", "node@latest"], "is no implementation"),
    (["runtimes", "remove", "bun@0"], "no pinned version is bun@0"),
    (["smoke", "/nonexistent"], "no such adapter"),
    (["bench", "--suite", "ref"], "stands alone"),
    (["mutants", "none"], "has no mutants"),
    (["test", "--only", "none"], "stages: unit"),
]


@pytest.mark.parametrize(("words", "told"), BAD,
                         ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_clear_message(
    cli: Cli, tmp_path: Path, words: list[str], told: str
) -> None:
    """Status 2, what is wrong on stderr, never a traceback."""
    done = cli(*words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "defect" not in done.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="no node in PATH")
def test_a_runtime_is_benchmarked_beside_a_library(cli: Cli) -> None:
    """Which says what there is to measure."""
    done = cli("bench", "node")
    assert done.returncode == 2
    assert "beside a provider library" in done.stderr


@pytest.mark.parametrize("gone", [
    "corpus/corpus.jsonl", "corpus/rules.json", "conformance/runner/conform",
    "ref/libplumb-ref.so", "conformance/peer/plumb-peer",
])
def test_a_missing_piece_of_the_build_is_named(
    cli: Cli, tmp_path: Path, gone: str
) -> None:
    """With what to do about it."""
    (tmp_path / "build" / gone).unlink()
    done = cli("run", "ref", "--out", "o")
    assert done.returncode == 2
    assert gone in done.stderr
    assert "./plumbline" in done.stderr


@pytest.mark.parametrize(("name", "text"), [
    ("corpus/corpus.jsonl", ""),
    ("corpus/corpus.jsonl", '{"kind":"corpus","format":99}\n'),
    ("corpus/corpus.jsonl", "{\n"),
    ("corpus/rules.json", "[]"),
])
def test_a_broken_corpus_is_told(
    cli: Cli, tmp_path: Path, name: str, text: str
) -> None:
    """The remedy is a build."""
    (tmp_path / "build" / name).write_text(text)
    done = cli("list")
    assert done.returncode == 2
    assert name in done.stderr and "build again" in done.stderr


def test_a_defect_is_told_as_one_and_its_traceback_kept(
    cli: Cli, tmp_path: Path
) -> None:
    """Provoked by a case without what every case has."""
    path = tmp_path / "build/corpus/corpus.jsonl"
    text = path.read_text().replace('"program": {"main"', '"prgrm": {"main"')
    path.write_text(text)
    done = cli("explain", "same-duration", TMPDIR=str(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    kept = re.search(r"report it with (\S+)", done.stderr)
    assert kept and "Traceback" in Path(kept.group(1)).read_text()


def _children(group: int) -> list[str]:
    """Processes of a session that are left."""
    done = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(group)],
                          capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything_and_marks_what_is_there(
    env: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    """Status 130, no process left, the results marked as partial."""
    process = subprocess.Popen(
        [sys.executable, "-m", "plumbline.cli", "run", "ref", "libuv",
         "--jobs", "1", "--out", "o"],
        cwd=tmp_path, env={**env, "FAKE_CONFORM": "held"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )
    folder = tmp_path / "o/results"
    while samples.held_judges(folder) < 1:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.kill(process.pid, how)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "ref-0.1.0 (interrupted)" in out
    assert "interrupted in ref" in err and "2 of 5 cases" in err
    assert "libuv" not in out
    assert _children(process.pid) == []
    paths = list(folder.iterdir())
    assert [path.name for path in paths] == ["ref-0.1.0.partial.jsonl"]
    assert not read_results(paths[0]).complete
    assert not (tmp_path / "o/report").exists()


def test_every_command_has_help_with_examples(cli: Cli) -> None:
    """--help costs nothing and shows how it is done."""
    listed = cli("--help").stdout
    names = re.findall(r"^  ([a-z-]+)  ", listed.split("Commands:")[1], re.M)
    assert len(names) >= 20
    for name in names:
        done = cli(name, "--help", PLUMBLINE_BUILD="/nonexistent")
        assert done.returncode == 0
        assert "Examples:" in done.stdout, name
        assert "--color" in done.stdout, name


def test_colours_appear_only_on_terminals(cli: Cli) -> None:
    """And the table is the same text without them."""
    done = cli("run", "ref", "--out", "o", FAKE_CONFORM="bad")
    assert "\x1b" not in done.stdout + done.stderr


def test_no_color_is_respected_on_a_terminal(
    env: dict[str, str], tmp_path: Path
) -> None:
    """With a terminal that could show colours."""
    words = [sys.executable, "-m", "plumbline.cli", "run", "ref", "--out",
             "o"]
    terminal = {**env, "TERM": "xterm", "FAKE_CONFORM": "bad"}
    plain = {**terminal, "NO_COLOR": "1"}
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]m")
    assert colour.search(_on_a_terminal(words, terminal, tmp_path))
    assert not colour.search(_on_a_terminal(words, plain, tmp_path))


def test_colours_are_chosen_on_the_command_line(
    cli: Cli, env: dict[str, str], tmp_path: Path
) -> None:
    """--color, before or after the command, is stronger than either."""
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]m")
    run = ("run", "ref", "--out", "o")
    on = cli(*run, "--color", "on", FAKE_CONFORM="bad", NO_COLOR="1")
    assert colour.search(on.stdout) and not colour.search(on.stderr)
    wrong = cli("--color", "on", "explain", "nothing-such")
    assert wrong.stderr.startswith("\x1b[1;31mplumbline:\x1b[0m nothing is")
    words = [sys.executable, "-m", "plumbline.cli", *run, "--color=off"]
    terminal = {**env, "TERM": "xterm", "FAKE_CONFORM": "bad",
                "FORCE_COLOR": "1"}
    assert not colour.search(_on_a_terminal(words, terminal, tmp_path))
    assert cli("runtimes", "list", "--color", "off").returncode == 0
    assert "is not one of" in cli("list", "--color", "x").stderr


def _on_a_terminal(words: list[str], env: dict[str, str], cwd: Path) -> str:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, env=env, cwd=cwd, stdin=theirs,
                               stdout=theirs, stderr=theirs)
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    process.wait(120)
    os.close(ours)
    return b"".join(chunks).decode()


def test_a_reader_that_leaves_early_is_no_error(
    env: dict[str, str], tmp_path: Path
) -> None:
    """plumbline list, when nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "plumbline.cli", "list"], env=env,
            cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE, text=True,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_results_of_earlier_runs_make_a_report(
    cli: Cli, tmp_path: Path
) -> None:
    """Named one by one."""
    paths = samples.write_results(tmp_path / "r")
    done = cli("report", *map(str, paths), "--out", "page")
    assert (done.returncode, done.stdout) == (
        0, "report: page/index.html\n")


def test_own_implementations_are_saved_under_their_name(
    cli: Cli, tmp_path: Path
) -> None:
    """Two builds of one library are told apart."""
    done = cli("run", "--provider", "build/ref/libplumb-ref.so", "--name",
               "before", "--out", "o", FAKE_CONFORM="bad")
    assert done.returncode == 1
    assert (tmp_path / "o/results/before.jsonl").is_file()
    assert f"--provider {tmp_path}/build/ref/libplumb-ref.so" in done.stdout
    assert "--name before --select" in done.stdout


def test_quiet_says_only_what_is_unexpected(cli: Cli) -> None:
    """Nothing, when there is nothing."""
    done = cli("run", "ref", "--out", "o", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = cli("run", "ref", "--out", "o", "-q", FAKE_CONFORM="bad")
    assert done.returncode == 1
    assert done.stdout.startswith("\n✗ loop/check")


def test_implementations_are_judged_to_be_compared(
    cli: Cli, tmp_path: Path
) -> None:
    """0 where nothing got worse, 1 where something did; what earlier runs
    left stays as it is."""
    out = {"PLUMBLINE_OUT": str(tmp_path / "o")}
    assert cli("run", "ref", "--no-report", **out).returncode == 0
    whole = tmp_path / "o/results/ref-0.1.0.jsonl"
    before = whole.read_bytes()
    same = cli("diff", str(whole), "ref", **out)
    assert same.returncode == 0, same.stderr
    assert "5 cases as before" in same.stdout
    other = cli("diff", "ref", "libuv", "--format", "markdown",
                **out)
    assert other.returncode == 0 and "## ref-0.1.0 → libuv-" in other.stdout
    bad = cli("diff", str(whole), "ref", FAKE_CONFORM="bad", **out)
    assert bad.returncode == 1
    assert "regressed 3" in bad.stdout
    assert whole.read_bytes() == before
    gone = cli("diff", str(whole), "node@1.2.3", **out)
    assert gone.returncode == 2 and "is not here" in gone.stderr
    many = cli("diff", str(whole), "nothing-such", **out)
    assert many.returncode == 2 and many.stdout == ""


@pytest.mark.parametrize(("pattern", "near"), [
    ("loop/chek", "did you mean loop/check or"),
    ("same-duration", "did you mean loop/timers/same-duration?"),
    ("LOOP-CHECK-22", "did you mean LOOP-CHECK-2"),
    ("*zzz*", "look at the ids with:  plumbline list"),
])
def test_a_selection_of_nothing_says_what_was_meant(
    cli: Cli, tmp_path: Path, pattern: str, near: str
) -> None:
    """Before anything is judged, though another pattern fits."""
    for words in (["run", "ref", "--out", "o"], ["list"],
                  ["diff", "ref", "ref"]):
        done = cli(*words, "--select", "loop", "--select", pattern)
        assert done.returncode == 2
        assert f"no case is selected by '{pattern}'" in done.stderr
        assert near in done.stderr
        assert done.stdout == ""
    assert not (tmp_path / "o").exists()


def test_selection_and_limits_reach_the_judge(
    cli: Cli, tmp_path: Path
) -> None:
    """Word for word."""
    log = tmp_path / "log"
    done = cli("run", "ref", "--select", "loop/timers", "--exclude", "*x*",
               "--repeat", "3", "--timeout", "77", "--seed", "5", "--out",
               "o", FAKE_CONFORM_LOG=str(log))
    assert done.returncode == 0
    text = log.read_text()
    for pair in ('"--select", "loop/timers"', '"--exclude", "*x*"',
                 '"--repeat", "3"', '"--timeout", "77"', '"--seed", "5"'):
        assert pair in text


def test_the_checkout_has_no_results_of_these_tests() -> None:
    """They write below their own folders only."""
    results = find_places().results
    names = {path.name for path in results.glob("*")}
    assert not names & {"before.jsonl", "libuv-0.1.0.jsonl"}
