# SPDX-License-Identifier: MIT
"""What the JavaScript adapter measures, on every runtime that is here."""

from __future__ import annotations

from typing import Any

import pytest

from js_driver import Adapter, log


def test_unknown_workload_is_unsupported(adapter: Adapter) -> None:
    """A benchmark that the adapter lacks is unsupported, by name."""
    command = {"cmd": "bench", "seq": 4, "workload": "tea", "params": {}}
    answer = adapter.ask(command | {"min_time_ms": 1})
    assert answer == {"seq": 4, "unsupported": "workload `tea`"}


# Each with a parameter, and how many items that is.
WORKLOADS: list[tuple[str, dict[str, int], int]] = [
    *((f"loop/timers/{what}", {"n": 100}, 100) for what in (
        "arm", "arm-equal", "cancel", "cancel-equal", "fire", "fire-equal")),
    *((f"loop/queues/{what}", dict[str, int](), 1000) for what in (
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
                              "min_time_ms": 200})
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
