# SPDX-License-Identifier: MIT
"""The five I/O models do the same work, and differ as the README says.

Invariant: an expectation stands in this file or in the README's table, and
is held against counters of a run made here; nothing is read from a file
that an earlier run has left.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LAB = os.environ["PLUMB_IO_MODELS"]
README = Path(__file__).resolve().parent.parent / "README.md"
Json = dict[str, Any]

ENGINES: dict[str, list[str]] = {
    "blocking": ["--model", "blocking"],
    "nonblocking": ["--model", "nonblocking"],
    "multiplexing": ["--model", "multiplexing"],
    "signal": ["--model", "signal"],
    "io_uring": ["--model", "asynchronous", "--engine", "uring"],
    "io_uring-worker": ["--model", "asynchronous", "--engine", "uring-worker"],
    "pool": ["--model", "asynchronous", "--engine", "pool"],
}
each_engine = pytest.mark.parametrize("engine", sorted(ENGINES))
TSAN = b"__tsan_init" in Path(LAB).read_bytes()
SANITIZED = TSAN or b"__asan_init" in Path(LAB).read_bytes()
# The thread sanitizer starts a thread of its own with our first one.
NOTHING_LEFT = [(0, 0), (0, 1)] if TSAN else [(0, 0)]
# The thread sanitizer keeps one deferred signal per number and drops the
# rest, so queued realtime signals get lost before any handler sees them.
queued_signals = pytest.mark.skipif(
    TSAN, reason="the thread sanitizer loses queued signals"
)


def start(
    args: list[str],
    prefix: list[str] | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(prefix or []), LAB, *args],
        capture_output=True,
        text=True,
        timeout=90,
        preexec_fn=before,
        # The leak checker traces the process itself, which strace forbids.
        env=os.environ | ({"ASAN_OPTIONS": "detect_leaks=0"} if prefix else {}),
    )


def run(
    engine: str, *more: str, prefix: list[str] | None = None
) -> Json:
    done = start([*ENGINES[engine], *more], prefix)
    if "io_uring: Function not implemented" in done.stdout:
        pytest.skip("this kernel or this build has no io_uring")
    assert done.returncode == 0, done.stdout + done.stderr
    result: Json = json.loads(done.stdout)
    return result


def needs_strace() -> str:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    probe = subprocess.run([strace, "-o", "/dev/null", "true"], check=False)
    if probe.returncode != 0:
        pytest.skip("strace may not trace here")
    return strace


@each_engine
@pytest.mark.parametrize("mode", [[], ["--work"], ["--timed", "--sparse", "3"]])
def test_every_model_does_the_same_work(
    engine: str, mode: list[str]
) -> None:
    """Messages that come in two parts are verified, by every model alike."""
    if TSAN and engine == "signal" and mode == ["--work"]:
        pytest.skip("the thread sanitizer loses queued signals")
    shape = ["--n", "7", "--messages", "30", "--split", "3", *mode]
    result = run(engine, *shape)
    assert result["messages"] == 7 * 30
    assert (result["fds_left"], result["threads_left"]) in NOTHING_LEFT
    assert result["digest"] == run("blocking", *shape)["digest"]


@each_engine
def test_large_messages_come_whole(engine: str) -> None:
    """A message larger than what one read can bring is put together."""
    shape = ["--n", "2", "--messages", "3", "--size", str(1 << 20)]
    result = run(engine, *shape)
    calls = result["user"]["calls"].get("read", 0)
    if engine in ("blocking", "nonblocking", "multiplexing", "signal"):
        assert calls > 6, "one read per message: no short read was tested"
    assert result["digest"] == run("multiplexing", *shape)["digest"]


def test_the_digest_tells_different_work_apart() -> None:
    """The digest that the other tests compare depends on the work."""
    digests = {
        run("multiplexing", "--n", n, "--size", size)["digest"]
        for n in ("1", "2")
        for size in ("24", "256")
    }
    assert len(digests) == 4


WAITING = ("threads", "epoll")


def disturbed(table: list[Json]) -> list[str]:
    """Of what time is measured: who did not wait, or work, as it should."""
    rows = {row["engine"]: row for row in table if "error" not in row}
    silence = rows["epoll"]["paced"]["silence_ns"]
    found = []
    for name, row in rows.items():
        user = row["paced"]["user"]
        if name in WAITING:
            good = (user["blocked_ns"] > 0.8 * silence
                    and user["switches"] >= 10)
        else:
            good = (user["wait_ns"] < 0.2 * silence
                    and user["work_units"] > 100)
        if not good:
            found.append(f"{name}: {user}")
    return found


@pytest.fixture(scope="module")
def table() -> list[Json]:
    """The table; measured again where a busy machine has disturbed it."""
    if TSAN:
        pytest.skip("the thread sanitizer loses queued signals")
    for _ in range(6):
        done = start(["--table", "--json"])
        assert done.returncode == 0, done.stdout + done.stderr
        rows: list[Json] = json.loads(done.stdout)["rows"]
        if "unclear" not in done.stdout and not disturbed(rows):
            break
    return rows


def readme_rows() -> dict[str, list[str]]:
    """The README's table: engine -> waiting, copying, asking."""
    rows: dict[str, list[str]] = {}
    for line in README.read_text(encoding="utf-8").splitlines():
        plain = line.replace("*", "").strip(" |")
        cells = [cell.strip() for cell in plain.split("|")]
        if len(cells) == 5 and cells[1].startswith("`"):
            rows[cells[1].strip("`")] = cells[2:]
    return rows


# Where the literature's table is not what a machine does; all other cells
# must agree with it.
CORRECTED = {("io_uring", "copying")}


def test_the_literature_is_right_except_where_it_is_corrected(
    table: list[Json],
) -> None:
    """Each model x claim is what the table says, or a known correction."""
    seen: set[tuple[str, str]] = set()
    for row in table:
        if "error" in row:
            assert row["model"] == "asynchronous", row
            continue
        for claim in ("waiting", "copying", "asking"):
            assert row[claim]["measured"] != "unclear", row
            if not row[claim]["agrees"]:
                seen.add((row["engine"], claim))
    present = {row["engine"] for row in table}
    assert seen == {c for c in CORRECTED if c[0] in present}


def test_the_readme_shows_what_was_measured(table: list[Json]) -> None:
    """No cell of the README's table is older than the code."""
    written = readme_rows()
    assert len(written) == 7
    for row in table:
        if "error" in row:
            continue
        cells = written[row["engine"]]
        for cell, claim in zip(cells, ("waiting", "copying", "asking")):
            assert cell.startswith(row[claim]["measured"]), (row, cell)
        assert row["copier"] in cells[1], (row, cells)


def test_raw_counters_carry_the_verdicts(table: list[Json]) -> None:
    """The three claims, once more, from the counters and not the verdicts."""
    assert disturbed(table) == []
    rows = {row["engine"]: row for row in table if "error" not in row}
    user = {name: row["paced"]["user"] for name, row in rows.items()}
    for name in WAITING:
        assert user[name]["work_units"] == 0, name
    assert user["polling"]["vain"] > 100
    assert user["handler"]["calls"]["rt_sigreturn"] >= 40
    for name in ("io_uring", "io_uring-worker", "pool"):
        if name in user:
            assert user[name]["copied"] == 0
            assert "read" not in user[name]["calls"]
    assert rows["pool"]["paced"]["helpers"]["copied"] == 40 * 256


@queued_signals
def test_only_polling_asks_more_when_it_waits_longer() -> None:
    """Four times the silence, four times the questions: polling only."""
    def asks(engine: str, silence: int) -> int:
        result = run(
            engine, "--work", "--timed", "--messages", "8",
            "--silence-ms", str(silence),
        )
        return int(sum(result["user"]["calls"].values()))

    # A busy machine takes the time away in which a thread could ask.
    assert any(
        asks("nonblocking", 40) > 1.8 * asks("nonblocking", 10)
        for _ in range(4)
    )
    for engine in ("blocking", "multiplexing", "signal", "pool"):
        assert asks(engine, 40) <= 1.3 * asks(engine, 10) + 8, engine


@queued_signals
def test_a_full_signal_queue_loses_nothing() -> None:
    """With room for one signal only, SIGIO makes the thread ask everybody."""
    shape = ["--n", "50", "--messages", "40"]
    result = run("signal", *shape, "--sigpending", "1", "--work")
    assert result["overflows"] > 0
    assert result["digest"] == run("multiplexing", *shape)["digest"]


@each_engine
def test_counted_calls_are_the_traced_calls(
    engine: str, tmp_path: Path
) -> None:
    """strace sees the same number of every call that the meter counts."""
    strace = needs_strace()
    trace = tmp_path / "trace"
    names = ("epoll_wait", "epoll_ctl", "rt_sigreturn", "io_uring_enter")
    result = run(
        engine, "--n", "3", "--messages", "20",
        prefix=[strace, "-f", "-y", "-o", str(trace),
                "-e", "signal=none", "-e", "trace=read," + ",".join(names)],
    )
    counted = dict.fromkeys((*names, "read"), 0)
    for side in ("user", "helpers"):
        for name, count in result[side]["calls_all"].items():
            if name in counted:
                counted[name] += count
    traced = dict.fromkeys(counted, 0)
    # Under a tracer the feeder's end (SIGCHLD) interrupts a sleeping call,
    # which the kernel then enters again by itself: one call, two lines.
    again = re.compile(r"(?:\.\.\. )?(\w+)(?: resumed>|\().*\? ERESTART")
    begun = re.compile(r"\d+ +(\w+)\((\d+<(socket|UNIX|anon_inode))?")
    for line in trace.read_text().splitlines():
        call = begun.match(line)
        if call and (call[1] in names or (call[1] == "read" and call[2])):
            traced[call[1]] += 1
        restarted = again.search(line)
        if restarted and restarted[1] in traced:
            traced[restarted[1]] -= 1
    assert traced == counted
    assert sum(counted.values()) > 4


def test_without_io_uring_the_pool_takes_over() -> None:
    """The asynchronous model chooses its helper when it runs."""
    strace = needs_strace()
    done = start(
        ["--model", "asynchronous"],
        [strace, "-f", "-o", "/dev/null",
         "-e", "trace=io_uring_setup,epoll_create1",
         "-e", "inject=io_uring_setup:error=EPERM"],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["engine"] == "pool"


@pytest.mark.parametrize(
    ("engine", "call"),
    [
        ("multiplexing", "epoll_wait"),
        ("pool", "epoll_wait"),
        ("signal", "rt_sigtimedwait"),
        ("io_uring", "io_uring_enter"),
    ],
)
def test_interrupted_calls_are_repeated(engine: str, call: str) -> None:
    """EINTR in every third call of the model changes nothing."""
    strace = needs_strace()
    shape = ["--n", "3", "--messages", "20"]
    result = run(
        engine, *shape,
        prefix=[strace, "-f", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:error=EINTR:when=2+3"],
    )
    assert result["digest"] == run("blocking", *shape)["digest"]


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@each_engine
def test_a_feeder_that_dies_is_an_error_and_not_a_hang(engine: str) -> None:
    """All streams end early: the run says so, and leaves nobody behind."""
    lab = subprocess.Popen(
        [LAB, *ENGINES[engine], "--n", "5", "--messages", "3",
         "--silence-ms", "9000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    for _ in range(200):
        time.sleep(0.02)
        if lab.poll() is not None or children(lab.pid):
            break
    time.sleep(0.3)  # into the first silence
    if lab.poll() is None:
        feeder = children(lab.pid)[0]
        os.kill(feeder, signal.SIGKILL)
    out, err = lab.communicate(timeout=20)
    if "Function not implemented" in out:
        pytest.skip("this kernel or this build has no io_uring")
    assert lab.returncode == 1
    result = json.loads(out)
    assert "Broken pipe" in result["error"], out
    assert (result["fds_left"], result["threads_left"]) in NOTHING_LEFT
    assert err.startswith("plumb-io-models: ")
    assert not Path(f"/proc/{feeder}").exists()


# A busy machine gets as much time as it takes; a quick benchmark needs little.
BENCH = ["--bench", "--quick", "--json", "--within", "80"]


def limit(which: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(which, (value, value))


def test_sizes_that_do_not_fit_are_named() -> None:
    """A low descriptor limit skips a size with its reason, not the rest."""
    done = start(
        [*BENCH, "--n", "5,1000"],
        before=limit(resource.RLIMIT_NOFILE, 200),
    )
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)["benchmarks"]
    small = [e for e in entries if e["n"] == 5]
    large = [e for e in entries if e["n"] == 1000]
    assert len(small) == len(large) == 10
    assert all("error_occurred" not in e for e in small)
    for entry in large:
        assert entry["error_message"] == (
            "needs 1064 descriptors, the limit is 200"
        )


def test_too_many_threads_are_an_error_that_names_the_thread() -> None:
    """The threads that did start are ended; nothing hangs."""
    if SANITIZED:
        pytest.skip("a sanitizer needs more address space than that")
    done = start(
        ["--model", "blocking", "--n", "3000"],
        before=limit(resource.RLIMIT_AS, 150 << 20),
    )
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert re.match(r"thread \d+ of 3000: ", result["error"]), result
    assert (result["fds_left"], result["threads_left"]) in NOTHING_LEFT


def test_the_benchmark_measures_all_five_side_by_side() -> None:
    """Every model at every size, same digest, all figures."""
    done = start([*BENCH, "--n", "1,100"])
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)["benchmarks"]
    assert len(entries) == 2 * 2 * 5
    digests: dict[tuple[str, int], set[str]] = {}
    for entry in entries:
        assert entry["real_time"] > 0 and entry["cpu_time"] > 0
        assert entry["syscalls"] > 0
        assert entry["name"] == (
            f"io-models/messages/{entry['load']}/n:{entry['n']}"
            f"/impl:{entry['model']}"
        )
        key = (entry["load"], entry["n"])
        digests.setdefault(key, set()).add(entry["digest"])
    assert all(len(found) == 1 for found in digests.values())
    calls = {
        e["model"]: e["syscalls"]
        for e in entries
        if (e["load"], e["n"]) == ("sparse", 100)
    }
    assert calls["nonblocking"] > calls["blocking"] > 0.5


@pytest.mark.parametrize(
    "args",
    [[], ["--model", "telepathy"], ["--model", "blocking", "--n", "0"],
     ["--model", "blocking", "--size", "25"], ["--bench", "--table"],
     ["--bench", "--n", "1,x"], ["--bench", "--within", "0"],
     ["--model", "blocking", "extra"]],
)
def test_bad_usage_is_refused(args: list[str]) -> None:
    """Exit status 2 and the usage, no run."""
    done = start(args)
    assert done.returncode == 2
    assert "usage: plumb-io-models" in done.stderr
    assert done.stdout == ""
