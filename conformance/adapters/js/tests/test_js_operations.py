# SPDX-License-Identifier: MIT
"""What the JavaScript adapter promises, and that it knows each operation of it:
what each does, what is unsupported, and what is malformed."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml  # type: ignore[import]

from js_driver import VOCABULARY, Adapter, Program, after, log, then


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


def waiting() -> dict[str, Any]:
    """What waits for as long as a test may take, unless it is cleared."""
    return {"timeout": {"after": 60000, "id": "w", "then": [log("never")]}}


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
    "signal": ([waiting(), then("signal", log("s", "$result"), {"stop": "s"},
                                {"clear": "w"}, id="s", signal="SIGWINCH"),
                {"raise": "SIGWINCH"}], [["s", "SIGWINCH"]]),
    "raise": ([waiting(), then("signal", log("a"), {"clear": "w"}, id="s",
                               signal="SIGHUP"),
               {"raise": "SIGHUP"}], ["a"]),
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
