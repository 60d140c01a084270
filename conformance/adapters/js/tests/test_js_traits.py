# SPDX-License-Identifier: MIT
"""The traits that the JavaScript adapter names are true of each runtime that is
here."""

from __future__ import annotations

from js_driver import Adapter, Program, Runtime, after, log, then


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
