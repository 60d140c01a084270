# SPDX-License-Identifier: MIT
"""--watch, --json, --shard and a shell's completion."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import samples

from plumbline.watching import changes, watched_words

HARNESS = Path(__file__).parents[1]


@pytest.fixture()
def env(tmp_path: Path) -> dict[str, str]:
    samples.write_build(tmp_path / "build")
    return {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(HARNESS),
        "PLUMBLINE_BUILD": str(tmp_path / "build"), "HOME": str(tmp_path),
        "PLUMBLINE_OUT": str(tmp_path / "out"),
        "LANG": "C.UTF-8",
    }


def _run(
    env: dict[str, str], cwd: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plumbline.cli", *words], cwd=cwd, env=env,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


def test_changes_names_what_changed(tmp_path: Path) -> None:
    """A new, a changed and a removed file; not what no run depends on."""
    folder = tmp_path / "conformance/cases"
    folder.mkdir(parents=True)
    for name in ("a.yaml", "b.yaml"):
        (folder / name).write_text("x")
    steps: Iterator[Callable[[], object]] = iter([
        lambda: (folder / "c.yaml").write_text("new"),
        lambda: None,
        lambda: (folder / "a.yaml").write_text("longer"),
        lambda: None,
        lambda: (folder / "notes.swp").write_text("editor"),
        lambda: (folder / "b.yaml").unlink(),
        lambda: None,
    ])
    def sleep(seconds: float) -> None:
        next(steps)()

    found = changes(tmp_path, [], sleep)
    names = [[p.name for p in next(found)] for _ in range(3)]
    assert names == [["c.yaml"], ["a.yaml"], ["b.yaml"]]


def test_what_changes_before_the_next_look_is_seen(tmp_path: Path) -> None:
    """While the first run goes on, say."""
    folder = tmp_path / "ref"
    folder.mkdir()
    found = changes(tmp_path, [], lambda seconds: None)
    (folder / "a.c").write_text("x")
    assert [p.name for p in next(found)] == ["a.c"]


def test_an_implementation_of_ones_own_is_watched(tmp_path: Path) -> None:
    program, library = tmp_path / "adapter", tmp_path / "lib.so"
    program.write_text("")
    library.write_text("")
    assert watched_words(f"sh {program} --x", library) == [program, library]


def test_watch_runs_again_after_a_change(
    env: dict[str, str], tmp_path: Path
) -> None:
    """And Ctrl-C ends it as one ends it: with 0."""
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-m", "plumbline.cli", "run", "--adapter",
         str(program), "--watch", "--no-report", "-q"],
        cwd=tmp_path, env={**env, "FAKE_CONFORM_LOG": str(log)},
        stderr=subprocess.PIPE, text=True, process_group=0)
    assert process.stderr is not None
    try:
        told = iter(process.stderr.readline, "")
        assert any("watching" in line for line in told)
        program.write_text("changed")
        assert any("mine changed" in line for line in told)
        assert any("watching" in line for line in told)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            assert process.wait(120) == 0
        finally:
            process.kill()
    assert len(log.read_text().splitlines()) == 2


def test_json_is_all_that_stdout_gets(
    env: dict[str, str], tmp_path: Path
) -> None:
    done = _run({**env, "FAKE_CONFORM": "bad"}, tmp_path,
                "run", "ref", "--json", "--no-report")
    value = json.loads(done.stdout)
    assert done.returncode == 1
    assert [i["label"] for i in value["implementations"]] == ["ref-0.1.0"]
    assert value["implementations"][0]["total"]["unexpected"] == 2


def test_a_shard_has_a_name_of_its_own(
    env: dict[str, str], tmp_path: Path
) -> None:
    """So that it never stands for the whole."""
    done = _run(env, tmp_path, "run", "ref", "--shard", "1/2", "--out", "o")
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (tmp_path / "o/results").iterdir()] == [
        "ref-0.1.0.shard-1-of-2.jsonl"]


@pytest.mark.parametrize("words, found", [
    ("plumbline me", ["merge"]),
    ("plumbline run libu", ["libuv", "libuv-in-node"]),
    ("plumbline run --select loop/t", ["loop/timers/"]),
    ("plumbline run --select LOOP-T", ["LOOP-TIMER-1"]),
    ("plumbline run --sel", ["--select"]),
    ("plumbline --color off ru", ["run", "runtimes"]),
    ("plumbline explain LOOP-T", ["LOOP-TIMER-1"]),
    ("plumbline explore loop/ti", ["loop/timers/"]),
    ("plumbline diff libev", ["libev"]),
    ("plumbline diff old.js", ["old.js"]),
])
def test_words_are_completed(
    words: str, found: list[str], env: dict[str, str], tmp_path: Path
) -> None:
    done = _run({
        **env, "_PLUMBLINE_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1)}, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    got = [line.split(",", 1)[1] for line in done.stdout.splitlines()]
    assert got == found


def test_a_line_separator_in_a_case_is_no_end_of_a_line(
    env: dict[str, str], tmp_path: Path
) -> None:
    """Some cases are about just that."""
    corpus = tmp_path / "build/corpus/corpus.jsonl"
    head, first, rest = corpus.read_text(encoding="utf-8").split("\n", 2)
    case = {**json.loads(first), "claim": "x\u2028y"}
    corpus.write_text("\n".join(
        [head, json.dumps(case, ensure_ascii=False), rest]), encoding="utf-8")
    done = _run({
        **env, "_PLUMBLINE_COMPLETE": "bash_complete", "COMP_CWORD": "3",
        "COMP_WORDS": "plumbline run --select loop/t"}, tmp_path)
    assert done.stdout == "plain,loop/timers/\n"


def test_without_a_build_nothing_is_completed(
    env: dict[str, str], tmp_path: Path
) -> None:
    """And nothing is printed into the shell."""
    words = "plumbline run --select loop/t"
    done = _run({
        **env, "PLUMBLINE_BUILD": str(tmp_path / "none"),
        "_PLUMBLINE_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": "3"}, tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(
    shell: str, env: dict[str, str], tmp_path: Path
) -> None:
    done = _run(env, tmp_path, "completion", shell)
    assert done.returncode == 0
    assert "_PLUMBLINE_COMPLETE" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes_words(
    env: dict[str, str], tmp_path: Path
) -> None:
    """The script, evaluated, with the program in PATH and beside one."""
    program = tmp_path / "plumbline"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m plumbline.cli "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(plumbline completion bash)"
complete() { COMPREPLY=() COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _plumbline_completion "$1"; echo "${COMPREPLY[@]}"; }
complete plumbline run --sel
complete ./plumbline explain loop/t
"""
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, text=True, capture_output=True,
        env={**env, "PATH": f"{tmp_path}:{env['PATH']}"}, timeout=300)
    assert (done.stdout, done.stderr) == ("--select\nloop/timers/\n", "")
