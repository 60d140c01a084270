# SPDX-License-Identifier: MIT
"""The JavaScript adapter on every runtime that is here; absent ones skip."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml  # type: ignore[import]

from js_driver import (
    VOCABULARY,
    WANTED,
    Adapter,
    Program,
    Runtime,
    find_runtime,
    run_command,
)

find = cache(find_runtime)


@pytest.fixture(params=WANTED, ids=str)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    found = find(request.param)
    if found is None:
        pytest.skip(f"no {request.param} here")
    return found


@pytest.fixture
def adapter(runtime: Runtime) -> Iterator[Adapter]:
    with Adapter(runtime) as started:
        yield started


@cache
def vocabulary() -> dict[str, Any]:
    """That of the loop, with the capabilities and traits of every area."""
    loaded = yaml.safe_load((VOCABULARY / "loop.yaml").read_text())
    assert isinstance(loaded, dict)
    for file in VOCABULARY.glob("*.yaml"):
        area = yaml.safe_load(file.read_text())
        loaded["capabilities"].update(area.get("capabilities", {}))
        loaded["traits"].update(area.get("traits", {}))
    return loaded


def log(label: str, value: Any = None) -> dict[str, Any]:
    return {"log": label if value is None else [label, value]}


def after(ms: Any, *body: dict[str, Any]) -> dict[str, Any]:
    return {"timeout": {"after": ms, "then": list(body)}}


def then(
    operation: str, *body: dict[str, Any], **members: Any
) -> dict[str, Any]:
    return {operation: {**members, "then": list(body)}}


# -- the protocol ----------------------------------------------------------


def test_start_says_who_it_is(adapter: Adapter) -> None:
    """The start answer names the runtime, and only known abilities."""
    answer = adapter.start()
    assert answer["protocol"] == 1
    implementation = answer["implementation"]
    assert implementation["name"] == adapter.runtime.name
    assert implementation["version"] == adapter.runtime.version
    assert implementation["language"] == "JavaScript"
    assert implementation["homepage"].startswith("https://")
    assert set(answer["capabilities"]) <= set(vocabulary()["capabilities"])
    assert set(answer["traits"]) <= set(vocabulary()["traits"])


def test_end_of_input_ends_the_process(adapter: Adapter) -> None:
    """EOF on stdin ends the adapter with status 0, before and after work."""
    adapter.start()
    assert adapter.run([after(1, log("a"))])["events"] == ["a"]
    adapter.end_input()
    assert adapter.hear() is None
    assert adapter.process.wait(20) == 0


def test_end_of_input_at_once(adapter: Adapter) -> None:
    """EOF without any command is no error."""
    adapter.end_input()
    assert adapter.process.wait(20) == 0


def test_stop_ends_the_process(adapter: Adapter) -> None:
    """`stop` exits 0 without an answer."""
    adapter.start()
    adapter.run([])
    adapter.say({"cmd": "stop"})
    assert adapter.hear() is None
    assert adapter.process.wait(20) == 0


@pytest.mark.parametrize("line", ["nonsense", '{"cmd":"dance","seq":9}', "[]"])
def test_what_is_no_command_is_answered(adapter: Adapter, line: str) -> None:
    """A line that is no command gets an error, and the adapter goes on."""
    adapter.write(line.encode() + b"\n")
    answer = adapter.hear()
    assert answer is not None
    assert answer["error"]["message"] == "not a command of protocol 1"
    assert answer["seq"] == (9 if "seq" in line else None)
    assert adapter.run([log("a")])["events"] == ["a"]


def test_unknown_workload_is_unsupported(adapter: Adapter) -> None:
    """A benchmark that the adapter lacks is unsupported, by name."""
    command = {"cmd": "bench", "seq": 4, "workload": "tea", "params": {}}
    answer = adapter.ask(command | {"min_time_ms": 1})
    assert answer == {"seq": 4, "unsupported": "workload `tea`"}


# Each with a parameter, and how many items that is.
WORKLOADS: list[tuple[str, dict[str, int], int]] = [
    *((f"loop/timers/{what}", {"n": 100}, 100) for what in (
        "arm", "arm-equal", "cancel", "cancel-equal", "fire", "fire-equal")),
    *((f"loop/queues/{what}", {}, 1000) for what in (
        "immediate", "tick", "microtask", "timeout-clear")),
    *((f"loop/fs/{what}", {"flight": 4}, 256) for what in ("stat", "read")),
    ("loop/stream/ping-pong", {"pairs": 2}, 400),
    *((f"modules/resolve/{what}", {"packages": 3}, 3) for what in (
        "warm", "exports", "deep", "miss")),
    ("heap/alloc", {"bytes": 256}, 4096),
    ("heap/trees", {"depth": 3}, 15),
    ("heap/mutator", {"live": 48000}, 204600),
    *((f"buffers/{what}", {"bytes": 100}, 1000) for what in (
        "alloc", "alloc-unsafe", "from")),
    ("buffers/slice", {}, 1000),
    ("buffers/concat", {"parts": 3}, 1000),
    ("ipc/messages", {"bytes": 65536}, 32),
    ("ipc/ping-pong", {}, 200),
]


@pytest.mark.parametrize("workload, params, items", WORKLOADS)
def test_a_workload_is_sampled(
    adapter: Adapter, workload: str, params: dict[str, int], items: int
) -> None:
    """A sample is whole runs, with wall and CPU time of each."""
    answer = adapter.ask({"cmd": "bench", "seq": 7, "workload": workload,
                          "params": params, "min_time_ms": 5})
    assert answer["seq"] == 7
    assert answer["items_per_sample"] % items == 0, answer
    assert min(answer["samples_ns"]) > 0
    assert len(answer["samples_cpu_ns"]) == len(answer["samples_ns"])
    assert min(answer["samples_cpu_ns"]) >= 0
    assert adapter.run([log("a")])["events"] == ["a"]


def test_a_timer_armed_again_is_a_workload_where_there_is_refresh(
    adapter: Adapter
) -> None:
    """Where there is none it is unsupported, and not made up."""
    answer = adapter.ask({"cmd": "bench", "seq": 1,
                          "workload": "loop/timers/rearm",
                          "params": {"n": 50}, "min_time_ms": 1})
    assert answer.get("unsupported") or min(answer["samples_ns"]) > 0


@pytest.mark.parametrize("workload, params, items", [
    ("heap/major/full", {"live": 48000}, 1),
    ("ipc/handles/acknowledged", {}, 100)])
def test_what_not_every_runtime_can_do_is_a_workload_where_it_can(
    adapter: Adapter, workload: str, params: dict[str, int], items: int
) -> None:
    """Who cannot be asked to collect, or passes no handles, says so."""
    answer = adapter.ask({"cmd": "bench", "seq": 2, "workload": workload,
                          "params": params, "min_time_ms": 5})
    if "unsupported" in answer:
        return
    assert answer["items_per_sample"] % items == 0, answer
    assert min(answer["samples_ns"]) > 0


def test_an_object_that_no_runtime_has_is_unsupported(
    adapter: Adapter
) -> None:
    """An object of 16 bytes is none of JavaScript's."""
    answer = adapter.ask({"cmd": "bench", "seq": 3, "workload": "heap/alloc",
                          "params": {"bytes": 16}, "min_time_ms": 1})
    assert answer == {
        "seq": 3, "unsupported": "workload `heap/alloc` of that size"}


def test_pauses_lie_within_their_span(adapter: Adapter) -> None:
    """Where a runtime tells them: in order, and of its own time."""
    answer = adapter.ask({"cmd": "bench", "seq": 5,
                          "workload": "heap/mutator",
                          "params": {"live": 1 << 20}, "min_time_ms": 40})
    for pauses in answer.get("pauses", ()):
        assert pauses["clock"] == "wall"
        begins = [begin for begin, _ in pauses["list"]]
        assert begins and begins == sorted(begins) and begins[0] >= 0
        assert all(begin + length <= pauses["span"]
                   for begin, length in pauses["list"])


def test_more_items_take_longer(adapter: Adapter) -> None:
    """An item of 40,000 may be cheaper than one of 10, but not all of them."""
    took = []
    for n in (10, 40000):
        answer = adapter.ask({"cmd": "bench", "seq": n, "params": {"n": n},
                              "workload": "loop/timers/arm",
                              "min_time_ms": 20})
        best = min(answer["samples_ns"]) / answer["items_per_sample"]
        took.append(best * n)
    assert 0 < 4 * took[0] < took[1]


@pytest.mark.parametrize(
    "command, message",
    [
        ({"params": {"n": 0}},
         "params.n: must be a whole number from 1 to 1000000"),
        ({"params": {"m": 1}}, "params: takes no `m`"),
        ({"min_time_ms": "x"},
         "min_time_ms: must be a whole number from 0 to 600000"),
    ],
)
def test_malformed_bench(
    adapter: Adapter, command: dict[str, Any], message: str
) -> None:
    """Parameters that make no sense are refused."""
    bench = {"cmd": "bench", "seq": 1, "workload": WORKLOADS[0][0]}
    answer = adapter.ask(bench | command)
    assert answer["error"]["message"] == message


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
    left_over: Program = [
        {"timeout": {"after": 40, "id": "t", "then": [log("late")]}},
        {"unref": "t"},
        {"interval": {"every": 30, "id": "i", "then": [log("late")]}},
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
    assert adapter.run([after(100)])["events"] == []
    adapter.end_input()
    assert adapter.process.stderr is not None
    assert b"after the end" not in adapter.process.stderr.read()


def test_listeners_are_taken_back(adapter: Adapter) -> None:
    """A signal kills again when the program that listened is over."""
    adapter.run([{"signal": {"signal": "SIGUSR2", "id": "s"}}])
    adapter.say(run_command([{"raise": "SIGUSR2"}, after(2000)], 2))
    assert adapter.hear() is None
    assert adapter.process.wait(20) == -signal.SIGUSR2


def test_simple_programs_are_fast(adapter: Adapter) -> None:
    """A program without waiting costs a few milliseconds at most."""
    program = [then("tick", log("t")), then("immediate", log("i"))]
    adapter.run(program)
    begin = time.monotonic()
    for seq in range(200):
        assert adapter.run(program, seq)["events"] == ["t", "i"]
    assert time.monotonic() - begin < 200 * 0.02


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
    """$elapsed starts at 0 with the program, and `block` passes it."""
    program = [log("a", "$elapsed"), {"block": 20}, log("b", "$elapsed")]
    for seq in range(2):
        first, second = adapter.run(program, seq)["events"]
        assert first[1] <= 5
        assert 20 <= second[1] <= 200


def test_an_object_that_is_not_made_yet(adapter: Adapter) -> None:
    """Using an object before its operation ran is an error, and told."""
    program = [{"refresh": "t"}, after(1, {"timeout": {"id": "t"}})]
    answer = adapter.run(program)
    assert answer["error"]["message"] == "`t` is used before it is made"
    assert adapter.run([log("a")])["events"] == ["a"]


# -- the vocabulary --------------------------------------------------------

#: Every operation that a runtime performs within a shared process, once.
SHARED: dict[str, tuple[Program, list[Any]]] = {
    "log": ([log("a"), log("b", 1), {"log": ["c", None]}],
            ["a", ["b", 1], ["c", None]]),
    "block": ([{"block": 1}, log("a")], ["a"]),
    "chain": (
        [then("chain", log(of), of=of, length=3)
         for of in ("tick", "microtask", "immediate")],
        ["tick", "microtask", "immediate"],
    ),
    "timeout": ([after(wait, log("a")) for wait in
                 ("NaN", "Infinity", "-Infinity", "undefined", -1, 1.5)]
                + [{"timeout": {}}], ["a"] * 6),
    "interval": ([{"interval": {"every": 1, "id": "i", "then": [
        log("a"), {"clear": "i"}]}}], ["a"]),
    "immediate": ([then("immediate", log("a"))], ["a"]),
    "tick": ([then("tick", log("a"))], ["a"]),
    "microtask": ([then("microtask", log("a"))], ["a"]),
    "clear": ([{"timeout": {"id": "t", "then": [log("no")]}}, {"clear": "t"},
               {"immediate": {"id": "i", "then": [log("no")]}},
               {"clear": "i"}], []),
    "refresh": ([{"timeout": {"after": 1, "id": "t", "each": [
        [log("a", "$count"), {"refresh": "t"}], [log("b", "$count")]]}}],
        [["a", 1], ["b", 2]]),
    "fs.stat": ([then("fs.stat", log("s", "$result"), path="no/such")],
                [["s", "ENOENT"]]),
    "ref": ([{"timeout": {"after": 1, "id": "t", "then": [log("a")]}},
             {"unref": "t"}, log("h", "$hasref:t"), {"ref": "t"},
             log("h", "$hasref:t")], [["h", False], ["h", True], "a"]),
    "unref": ([{"immediate": {"id": "i", "then": [log("no")]}},
               {"unref": "i"}, log("h", "$hasref:i")], [["h", False]]),
    "signal": ([then("signal", log("s", "$result"), {"stop": "s"}, id="s",
                     signal="SIGWINCH"),
                {"raise": "SIGWINCH"}, after(60)], [["s", "SIGWINCH"]]),
    "raise": ([then("signal", log("a"), id="s", signal="SIGHUP"),
               {"raise": "SIGHUP"}, after(60)], ["a"]),
    "stop": ([then("signal", log("no"), id="s", signal="SIGCHLD"),
              {"stop": "s"}, {"raise": "SIGCHLD"}, after(30)], []),
    "socket": ([then("socket", log("closed"), id="s"),
                {"socket.destroy": "s"}], ["closed"]),
    "socket.destroy": ([then("socket", log("closed"), id="a"),
                        then("socket", log("closed"), id="b"),
                        after(1, {"socket.destroy": "b"},
                              {"socket.destroy": "a"})], ["closed"] * 2),
    "channel": ([then("channel", log("m", "$result"), {"channel.close": "c"},
                      id="c"), {"post": {"to": "c", "value": "hi"}}],
                [["m", "hi"]]),
    "post": ([{"channel": {"id": "c", "each": [
        [log("m", "$count")], [log("m", "$count"), {"channel.close": "c"}]]}},
        {"post": {"to": "c"}}, {"post": {"to": "c"}}], [["m", 1], ["m", 2]]),
    "channel.close": ([{"channel": {"id": "c"}}, {"channel.close": "c"}], []),
    "throw": ([then("listener", log("u", "$result"), event="uncaught"),
               after(1, {"throw": "oh"}, log("no"))], [["u", "oh"]]),
    "listener": ([then("listener", log("u", "$result"), event="uncaught"),
                  then("tick", {"throw": "oh"})], [["u", "oh"]]),
    "handle": ([{"reject": {"id": "p", "message": "r"}},
                then("handle", log("c", "$result"), of="p")], [["c", "r"]]),
}

#: Those that end the process, or need one of their own: events and status.
STREAMED: dict[str, tuple[Program, list[Any], int]] = {
    "exit": ([then("listener", log("x", "$result"), event="exit"),
              after(1, {"exit": 4}, log("no"))], [["x", 4]], 4),
    "exit-code": ([then("listener", log("b", "$result"), event="before-exit"),
                   then("listener", log("x", "$result"), event="exit"),
                   {"exit-code": 5}], [["b", 5], ["x", 5]], 5),
    "reject": ([then("listener", log("r", "$result"), event="rejection"),
                then("listener", log("h", "$result"),
                     event="rejection-handled"),
                {"reject": {"id": "p", "message": "why"}},
                after(20, then("handle", log("c", "$result"), of="p")),
                after(60)],
               [["r", "why"], ["c", "why"], ["h", "why"]], 0),
}


def offered(name: str, capabilities: set[str]) -> bool:
    """Whether the adapter should know an operation of the vocabulary."""
    known = vocabulary()["operations"][name]
    other = {"start", "cancel", "close"}  # of handles and jobs; JS has none
    if name == "repeat" or name in other:
        return False
    return known.get("capability", "loop.timeout") in capabilities


def of_modules(name: str) -> bool:
    """Whether test_js_modules.py tries an operation."""
    capability = vocabulary()["operations"][name].get("capability", "")
    return str(capability).startswith("modules.")


def test_every_operation_offered_is_tried(adapter: Adapter) -> None:
    """The tables above have each operation of the promised capabilities."""
    capabilities = set(adapter.start()["capabilities"])
    names = {
        name
        for name in vocabulary()["operations"]
        if offered(name, capabilities) and not of_modules(name)
    }
    assert names == set(SHARED) | set(STREAMED)


@pytest.mark.parametrize("operation", SHARED)
def test_shared_operation(adapter: Adapter, operation: str) -> None:
    """The operation does what the vocabulary says, twice in one process."""
    main, events = SHARED[operation]
    for seq in range(2):
        answer = adapter.run(main, seq)
        assert answer == {"seq": seq, "events": events, "evidence": {}}


@pytest.mark.parametrize("operation", STREAMED)
def test_streamed_operation(adapter: Adapter, operation: str) -> None:
    """The operation does what the vocabulary says, in its own process."""
    main, events, status = STREAMED[operation]
    assert adapter.stream(main) == (events, status)


def test_operations_not_offered_are_unsupported(adapter: Adapter) -> None:
    """Each operation that is not promised is unsupported, by its name."""
    capabilities = set(adapter.start()["capabilities"])
    others = ["brew", "toString"]
    for name in [*vocabulary()["operations"], *others]:
        if name not in others and offered(name, capabilities):
            continue
        answer = adapter.run([log("no"), after(1, {name: {}})])
        assert answer == {"seq": 1, "unsupported": f"operation `{name}`"}


@pytest.mark.parametrize("value", ["$now", "$closing:t", "$hasref", "$tea"])
def test_values_not_offered_are_unsupported(
    adapter: Adapter, value: str
) -> None:
    """A value that cannot be told makes the program unsupported."""
    answer = adapter.run([{"timeout": {"id": "t"}}, log("no", value)])
    assert answer == {"seq": 1, "unsupported": f"value `{value}`"}


def test_a_signal_listener_has_no_reference(adapter: Adapter) -> None:
    """Runtimes' signal listeners cannot be unref'd: unsupported."""
    signal = {"signal": {"id": "s", "signal": "SIGHUP"}}
    answer = adapter.run([signal, {"unref": "s"}])
    said = "operation `unref` of a signal listener"
    assert answer == {"seq": 1, "unsupported": said}


MALFORMED: dict[str, tuple[Any, str]] = {
    "no list": ({}, "main: must be a list of operations"),
    "no object": ([3], "main[0]: an operation is an object with exactly one"
                       " key"),
    "two keys": ([{"log": "a", "block": 1}],
                 "main[0]: an operation is an object with exactly one key"),
    "nested": ([log("a"), log("b"), after(1, {"block": "x"})],
               "main[2].timeout.then[0].block: must be a whole number from 0"
               " to 10000"),
    "in each": ([{"tick": {"each": [[], [{"log": 3}]]}}],
                "main[0].tick.each[1][0].log: must be a label or"
                " [label, value]"),
    "lacking": ([{"fs.stat": {}}], "main[0].fs.stat: lacks `path`"),
    "too much": ([{"tick": {"id": "t"}}],
                 "main[0].tick.id: `tick` takes no `id`"),
    "inherited": ([after("constructor")],
                  "main[0].timeout.after: must be a number or one of NaN,"
                  " Infinity, -Infinity, undefined"),
    "inherited member": ([{"timeout": {"toString": 1}}],
                         "main[0].timeout.toString: `timeout` takes no"
                         " `toString`"),
    "both": ([{"tick": {"then": [], "each": [[]]}}],
             "main[0].tick: has both `then` and `each`"),
    "no such id": ([{"clear": "t"}],
                   "main[0].clear: names `t`, which no operation makes"),
    "wrong kind": ([{"channel": {"id": "c"}}, {"refresh": "c"}],
                   "main[1].refresh: names `c`, a channel; it takes: timeout,"
                   " interval"),
    "two kinds": ([{"timeout": {"id": "x"}}, {"immediate": {"id": "x"}}],
                  "main[1].immediate.id: `x` is already the id of a timeout"),
    "needs a process": ([after(1, {"exit": 0})],
                        "main[0].timeout.then[0]: `exit` needs `isolation:"
                        " process`"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_program(adapter: Adapter, name: str) -> None:
    """What is malformed is refused whole, and the place is named."""
    main, message = MALFORMED[name]
    answer = adapter.run(main)
    assert answer == {"seq": 1, "error": {"message": message, "detail": None}}
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


# -- the traits are true ---------------------------------------------------


def traits_of(runtime: Runtime) -> set[str]:
    with Adapter(runtime) as adapter:
        return set(adapter.start()["traits"])


def test_trait_interval_from_callback_end(adapter: Adapter) -> None:
    """With 60 ms of work in a period of 90, ends or starts are 90 apart."""
    work = [log("at", "$elapsed"), {"block": 60}]
    interval = {"every": 90, "id": "i", "each": [
        work, work, [*work, {"clear": "i"}]]}
    first, second, third = adapter.run([{"interval": interval}])["events"]
    gap = third[1] - second[1]
    from_end = "interval-from-callback-end" in traits_of(adapter.runtime)
    assert (gap > 120) == from_end, (first, second, third)


def test_trait_timer_lists(adapter: Adapter) -> None:
    """A due list of one duration runs whole where the trait says so."""
    lists = "timer-lists" in traits_of(adapter.runtime)
    main = [after(30, log("a")), after(40, log("b")), {"block": 20},
            after(30, log("c")), {"block": 60}]
    order = ["a", "c", "b"] if lists else ["a", "b", "c"]
    assert adapter.stream(main) == (order, 0)


def test_trait_immediates_before_timers(adapter: Adapter) -> None:
    """The first turn meets a due timer and an immediate."""
    main = [after(0, log("t")), then("immediate", log("i")), {"block": 10}]
    first = "immediates-before-timers" in traits_of(adapter.runtime)
    order = ["i", "t"] if first else ["t", "i"]
    assert adapter.stream(main) == (order, 0)


def test_trait_rejections_warn(adapter: Adapter) -> None:
    """An unhandled rejection ends the process, except by the trait."""
    main: Program = [{"reject": {"message": "r"}}]
    warns = "rejections-warn" in traits_of(adapter.runtime)
    assert adapter.stream(main) == ([], 0 if warns else 1)


def test_trait_drain_per_phase(adapter: Adapter) -> None:
    """Ticks are drained after each timer, except by the trait."""
    main = [after(1, log("t"), then("tick", log("n"))),
            after(1, log("t"), then("tick", log("n"))), {"block": 10}]
    phase = "drain-per-phase" in traits_of(adapter.runtime)
    order = ["t", "t", "n", "n"] if phase else ["t", "n", "t", "n"]
    assert adapter.run(main)["events"] == order
