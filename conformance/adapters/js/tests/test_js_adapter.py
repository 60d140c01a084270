# SPDX-License-Identifier: MIT
"""The JavaScript adapter's lines, and programs that share a process or have one
of their own, on every runtime that is here."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from js_driver import (
    LONGEST,
    Adapter,
    Program,
    Runtime,
    after,
    log,
    run_command,
    then,
)

# -- the protocol ----------------------------------------------------------


def test_end_of_input_ends_the_process(adapter: Adapter) -> None:
    """EOF on stdin ends the adapter with status 0, before and after work."""
    adapter.start()
    assert adapter.run([after(1, log("a"))])["events"] == ["a"]
    adapter.end_input()
    assert adapter.hear() is None
    assert adapter.process.wait(LONGEST) == 0


def test_end_of_input_at_once(adapter: Adapter) -> None:
    """EOF without any command is no error."""
    adapter.end_input()
    assert adapter.process.wait(LONGEST) == 0


def test_stop_ends_the_process(adapter: Adapter) -> None:
    """`stop` exits 0 without an answer."""
    adapter.start()
    adapter.run([])
    adapter.say({"cmd": "stop"})
    assert adapter.hear() is None
    assert adapter.process.wait(LONGEST) == 0


@pytest.mark.parametrize("line", ["nonsense", '{"cmd":"dance","seq":9}', "[]"])
def test_what_is_no_command_is_answered(adapter: Adapter, line: str) -> None:
    """A line that is no command gets an error, and the adapter goes on."""
    adapter.write(line.encode() + b"\n")
    answer = adapter.hear()
    assert answer is not None
    assert answer["error"]["message"] == "not a command of protocol 1"
    assert answer["seq"] == (9 if "seq" in line else None)
    assert adapter.run([log("a")])["events"] == ["a"]


def test_lines_may_be_long(adapter: Adapter) -> None:
    """A line of megabytes, with every kind of character, comes and goes."""
    label = "lång " * 200_000
    same = adapter.run([log(label)])["events"] == [label]
    assert same


def test_lines_may_come_in_pieces(adapter: Adapter) -> None:
    """Half a line is waited for; two lines in one piece are both answered."""
    halves = b'{"cmd":"run","seq":1,"program":', b'{"main":[{"log":"\xc3'
    rest = b'\xa5"}]}}\n{"cmd":"run","seq":2,"program":{"main":[]}}\n'
    for piece in (*halves, rest):
        adapter.write(piece)
        time.sleep(0.05)
    assert adapter.hear() == {"seq": 1, "events": ["å"], "evidence": {}}
    assert adapter.hear() == {"seq": 2, "events": [], "evidence": {}}


def test_pipes_may_be_nonblocking(runtime: Runtime) -> None:
    """Non-blocking pipes are read and written whole, however slow we are."""
    label = "x" * 500_000
    with Adapter(runtime, nonblocking=True) as adapter:
        adapter.start()
        time.sleep(0.1)
        adapter.say(run_command([log(label)], 5))
        time.sleep(0.3)
        answer = adapter.hear()
        same = answer == {"seq": 5, "events": [label], "evidence": {}}
        assert same


# -- programs in one process -----------------------------------------------


def test_an_empty_program_is_over_at_once(adapter: Adapter) -> None:
    """Nothing to do is a result."""
    assert adapter.run([]) == {"seq": 1, "events": [], "evidence": {}}


def test_queues_are_drained_in_order(adapter: Adapter) -> None:
    """main, ticks, microtasks, then what the loop has."""
    program = [
        then("immediate", log("immediate")),
        then("microtask", log("microtask")),
        then("tick", log("tick")),
        log("main"),
    ]
    events = adapter.run(program)["events"]
    assert events == ["main", "tick", "microtask", "immediate"]


def test_three_hundred_programs_in_one_process(adapter: Adapter) -> None:
    """Programs do not meet: nothing left over fires, and no fd stays."""
    # Longer than a busy machine stands still within one of them.
    left_over: Program = [
        {"timeout": {"after": 1000, "id": "t", "then": [log("late")]}},
        {"unref": "t"},
        {"interval": {"every": 900, "id": "i", "then": [log("late")]}},
        {"unref": "i"},
        {"immediate": {"id": "m", "then": [log("late")]}},
        {"unref": "m"},
        {"signal": {"signal": "SIGUSR2", "id": "s", "then": [log("late")]}},
        then("listener", log("late"), event="rejection"),
    ]
    socket = [
        then("socket", log("closed"), id="s"),
        after(1, {"socket.destroy": "s"}),
    ]
    channel = [
        then("channel", log("got", "$result"), {"channel.close": "c"}, id="c"),
        {"post": {"to": "c", "value": 7}},
    ]
    kinds: list[tuple[Program, list[Any]]] = [
        ([*left_over, log("a")], ["a"]),
        ([after(1, log("b"), then("tick", log("c")))], ["b", "c"]),
        (socket, ["closed"]),
        (channel, [["got", 7]]),
        ([then("fs.stat", log("s", "$result"), path=".")], [["s", "ok"]]),
    ]
    files = 0
    for seq in range(300):
        program, events = kinds[seq % len(kinds)]
        answer = adapter.run(program, seq)
        assert answer == {"seq": seq, "events": events, "evidence": {}}
        if seq == 2 * len(kinds):
            files = adapter.open_files()
    assert adapter.open_files() <= files
    assert adapter.run([after(1200)])["events"] == []
    adapter.end_input()
    assert adapter.process.stderr is not None
    assert b"after the end" not in adapter.process.stderr.read()


def test_listeners_are_taken_back(adapter: Adapter) -> None:
    """A signal kills again when the program that listened is over."""
    adapter.run([{"signal": {"signal": "SIGUSR2", "id": "s"}}])
    adapter.say(run_command([{"raise": "SIGUSR2"}, after(2000)], 2))
    assert adapter.hear() is None
    assert adapter.process.wait(LONGEST) == -signal.SIGUSR2


def test_simple_programs_are_fast(adapter: Adapter) -> None:
    """A program without waiting costs a few milliseconds at most, of which
    the quickest of many tells on a busy machine, too."""
    program = [then("tick", log("t")), then("immediate", log("i"))]
    adapter.run(program)
    took = []
    for seq in range(200):
        begin = time.monotonic()
        assert adapter.run(program, seq)["events"] == ["t", "i"]
        took.append(time.monotonic() - begin)
    assert min(took) < 0.02


def test_bodies_by_call(adapter: Adapter) -> None:
    """`each` gives the k-th call the k-th body, the last one to the rest."""
    bodies = [[log("one", "$count")], [log("more", "$count")]]
    program = [
        {"listener": {"event": "uncaught", "each": bodies}},
        *[then("tick", {"throw": "oh"})] * 4,
    ]
    events = adapter.run(program)["events"]
    assert events == [["one", 1], ["more", 2], ["more", 3], ["more", 4]]


def test_elapsed_counts_from_the_start(adapter: Adapter) -> None:
    """$elapsed starts at 0 with the program and not with the process, and
    `block` passes it."""
    old = 1500
    adapter.run([{"block": old}])
    program = [log("a", "$elapsed"), {"block": 20}, log("b", "$elapsed")]
    for seq in range(2):
        first, second = adapter.run(program, seq)["events"]
        assert 0 <= first[1] <= second[1] - 19 and second[1] >= 20
        assert second[1] < old


def test_an_object_that_is_not_made_yet(adapter: Adapter) -> None:
    """Using an object before its operation ran is an error, and told."""
    program = [{"refresh": "t"}, after(1, {"timeout": {"id": "t"}})]
    answer = adapter.run(program)
    assert answer["error"]["message"] == "`t` is used before it is made"
    assert adapter.run([log("a")])["events"] == ["a"]


# -- a process of its own --------------------------------------------------


def test_uncaught_throw_ends_the_process(adapter: Adapter) -> None:
    """What was logged before a crash is not lost; the status is 1."""
    main = [log("a"), after(1, log("b"), {"throw": "oh"})]
    assert adapter.stream(main) == (["a", "b"], 1)


def test_a_signal_ends_the_process(adapter: Adapter) -> None:
    """A raised signal without a listener kills."""
    main = [log("a"), {"raise": "SIGTERM"}, after(5000, log("no"))]
    assert adapter.stream(main) == (["a"], -15)


def test_main_of_a_stream_is_the_main_script(adapter: Adapter) -> None:
    """Ticks and microtasks of main run before anything of the loop."""
    main = [after(0, log("t")), then("tick", log("n")),
            then("microtask", log("m")), {"block": 5}, log("main")]
    assert adapter.stream(main) == (["main", "n", "m", "t"], 0)


def test_sockets_of_a_stream_are_connected(adapter: Adapter) -> None:
    """A connected socket closes after an immediate, not in a tick."""
    main = [then("socket", log("closed"), id="s"),
            then("immediate", log("i")), {"socket.destroy": "s"},
            then("tick", log("n")), log("main")]
    assert adapter.stream(main) == (["main", "n", "i", "closed"], 0)


def test_unsupported_stream(adapter: Adapter) -> None:
    """An unknown operation is told in stream mode too."""
    adapter.say(run_command([{"brew": {}}], 1) | {"stream": True})
    assert adapter.hear() == {"seq": 1, "unsupported": "operation `brew`"}


def test_a_stream_needs_a_fresh_process(adapter: Adapter) -> None:
    """After a shared program the main script is over: refused."""
    adapter.run([])
    answer = adapter.ask(run_command([], 2) | {"stream": True})
    said = "a streamed program needs a fresh process"
    assert answer["error"]["message"] == said
