# SPDX-License-Identifier: MIT
"""The heap and buffer operations of the JavaScript adapter, on every runtime
here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import]

from js_driver import VOCABULARY, Adapter, Program


@cache
def operations() -> dict[str, dict[str, Any]]:
    files = [VOCABULARY / f"{area}.yaml" for area in ("heap", "buffer")]
    return {name: known for file in files
            for name, known in yaml.safe_load(file.read_text())["operations"]
            .items()}


#: What only a heap library has.
LIBRARY = {"heap.config", "heap.step", "heap.verify", "heap.space",
           "heap.moved", "heap.external", "heap.count", "heap.exhaust",
           "heap.set-limit", "heap.near-limit", "leak.detector",
           "leak.collection", "leak.show"}
#: What ends the process.
ENDING = {"heap.fatal"}


def alloc(id: str = "a", **more: Any) -> Any:
    return {"heap.alloc": {"id": id, **more}}


def collect(kind: str = "major", **more: Any) -> Any:
    return {"heap.collect": {"kind": kind, **more}}


def told(operation: str, of: str, label: str = "x", **more: Any) -> Any:
    return {operation: {"of": of, "log": label, **more}}


BUFFER = {"buffer.from": {"id": "b", "list": [1, 2, 3, 4]}}
SNAPSHOT = [alloc("h", name="TriedHolder"), alloc("t", name="TriedHeld"),
            {"heap.link": {"from": "h", "slot": 1, "to": "t"}},
            {"heap.snapshot": {"id": "s"}}]

#: Of each operation a program and its events; ANY is any one value.
ANY = object()
CASES: dict[str, tuple[Program, list[Any]]] = {
    "heap.alloc": ([alloc(log="x"), {"heap.alloc": {"slots": 2}}],
                   [["x", "ok"]]),
    "heap.link": ([alloc(), alloc("b"),
                   {"heap.link": {"from": "a", "slot": 0, "to": "b"}},
                   {"heap.get": {"id": "c", "of": "a", "slot": 0}},
                   told("heap.same", "c", **{"as": "b"})], [["x", True]]),
    "heap.get": ([alloc(), {"heap.link": {"from": "a", "slot": 3, "to": "a"}},
                  {"heap.get": {"id": "c", "of": "a", "slot": 3}},
                  told("heap.same", "c", **{"as": "a"})], [["x", True]]),
    "heap.drop": ([alloc(), {"heap.drop": "a"}, collect(), collect(),
                   told("heap.alive", "a")], [["x", False]]),
    "heap.same": ([alloc(), alloc("b"), told("heap.same", "a", **{"as": "b"})],
                  [["x", False]]),
    "heap.garbage": ([{"heap.garbage": {"count": 1000}}], []),
    "heap.graph": ([{"heap.graph": {"id": f"g{shape}", "shape": shape,
                                    "count": 20}}
                    for shape in ("list", "ring", "tree", "array", "chain")],
                   []),
    "heap.scatter": ([{"heap.graph": {"id": "g", "shape": "array",
                                      "count": 50}},
                      {"heap.scatter": {"in": "g", "writes": 30}},
                      told("heap.walk", "g")], [["x", 50]]),
    "heap.walk": ([{"heap.graph": {"id": "g", "shape": "tree", "count": 50}},
                   told("heap.walk", "g")], [["x", 50]]),
    "heap.scope": ([alloc(), {"heap.scope": {"id": "s", "over": "a"}},
                    told("heap.alive", "s")], [["x", True]]),
    "heap.closure": ([alloc(), {"heap.scope": {"id": "s", "over": "a"}},
                      {"heap.closure": {"id": "f", "of": "s", "uses": True}},
                      {"heap.drop": "s"}, {"heap.drop": "a"}, collect(),
                      told("heap.alive", "a")], [["x", True]]),
    "heap.frame": ([alloc(), {"heap.frame": {"holds": "a", "then": [
        {"heap.drop": "a"}, collect(), told("heap.alive", "a")]}}],
        [["x", True]]),
    "heap.collect": ([collect(), collect(now=True)], []),
    "heap.settle": ([{"heap.settle": {}}], []),
    "heap.alive": ([alloc(), told("heap.alive", "a")], [["x", True]]),
    "heap.generation": ([alloc(), collect("minor"), collect("minor"),
                         told("heap.generation", "a")], [["x", "old"]]),
    "heap.large": ([alloc(kind="text", bytes=900000), told("heap.large", "a")],
                   [["x", True]]),
    "heap.weak": ([alloc(), {"heap.weak": {"id": "w", "of": "a"}},
                   told("heap.deref", "w")], [["x", True]]),
    "heap.deref": ([alloc(), {"heap.weak": {"id": "w", "of": "a"}}, collect(),
                    told("heap.deref", "w")], [["x", True]]),
    "heap.target": ([alloc(), {"heap.weak": {"id": "w", "of": "a"}}, collect(),
                     {"heap.target": {"id": "t", "of": "w"}},
                     {"heap.same": {"of": "t", "as": "a", "log": "x"}}],
                    [["x", True]]),
    "heap.table": ([{"heap.table": {"id": kind, "kind": kind}} for kind in
                    ("weak-map", "weak-set", "map", "set")], []),
    "heap.table.set": ([{"heap.table": {"id": "t", "kind": "weak-map"}},
                        alloc(), {"heap.table.set": {"in": "t", "key": "a"}},
                        {"heap.table.has": {"in": "t", "key": "a",
                                            "log": "x"}}], [["x", True]]),
    "heap.table.has": ([{"heap.table": {"id": "t", "kind": "weak-set"}},
                        alloc(), {"heap.table.has": {
                            "in": "t", "key": "a", "log": "x"}}],
                       [["x", False]]),
    "heap.table.delete": ([{"heap.table": {"id": "t", "kind": "weak-map"}},
                           alloc(),
                           {"heap.table.set": {"in": "t", "key": "a"}},
                           {"heap.table.delete": {"in": "t", "key": "a"}},
                           {"heap.table.has": {"in": "t", "key": "a",
                                               "log": "x"}}], [["x", False]]),
    "heap.table.size": ([{"heap.table": {"id": "t", "kind": "weak-map"}},
                         alloc(), {"heap.table.set": {"in": "t", "key": "a"}},
                         told("heap.table.size", "t")], [["x", 1]]),
    "heap.registry": ([{"heap.registry": {"id": "r",
                                          "then": [{"log": "no"}]}}], []),
    "heap.register": ([{"heap.registry": {"id": "r", "then": [
        {"log": ["x", "$result"]}]}}, alloc(),
        {"heap.register": {"in": "r", "of": "a", "held": 7}},
        {"heap.drop": "a"}, collect(), {"heap.settle": {}}, collect(),
        {"heap.settle": {}}], [["x", 7]]),
    "heap.unregister": ([{"heap.registry": {"id": "r"}}, alloc(),
                         {"heap.register": {"in": "r", "of": "a",
                                            "token": "a"}},
                         {"heap.unregister": {"in": "r", "token": "a",
                                              "log": "x"}}], [["x", True]]),
    "heap.misuse": ([{"heap.misuse": {"what": "weak-number", "log": "x"}}],
                    [["x", "TypeError"]]),
    "heap.hold": ([alloc(), {"heap.hold": {"id": "h", "of": "a",
                                           "by": "listener"}},
                   {"heap.drop": "a"}, collect(), told("heap.alive", "a")],
                  [["x", True]]),
    "heap.release": ([alloc(), {"heap.hold": {"id": "h", "of": "a",
                                              "by": "global"}},
                      {"heap.drop": "a"}, {"heap.release": "h"}, collect(),
                      collect(), told("heap.alive", "a")], [["x", False]]),
    "heap.zero": ([{"heap.zero": {}}], []),
    "heap.usage": ([{"heap.zero": {}},
                    {"heap.usage": {"figure": "rss", "whole": True,
                                    "log": "x"}}], [["x", ANY]]),
    "heap.at-most": ([{"heap.at-most": {"figure": "zero", "than": "used",
                                        "log": "x"}}], [["x", True]]),
    "heap.fields": ([{"heap.fields": {"log": "x"}}], [["x", ANY]]),
    "heap.events": ([{"heap.settle": {}}, {"heap.events": {
        "show": "kind", "then": [{"log": ["x", "$result"]}]}}, collect(),
        {"heap.settle": {}}], [["x", "major"]]),
    "heap.limit-of": ([{"heap.limit-of": {
        "flags": ["--max-old-space-size=100"], "log": "x"}}], [["x", ANY]]),
    "heap.statistic": ([{"heap.statistic": {"name": "no such figure",
                                            "log": "x"}}], [["x", None]]),
    "heap.spaces": ([{"heap.spaces": {"log": "x"}}], [["x", ANY]]),
    "heap.trace-lines": ([{"heap.trace-lines": {"show": "has-sizes",
                                                "log": "x"}}], [["x", True]]),
    "heap.snapshot": ([{"heap.snapshot": {"id": "s"}}], []),
    "heap.snapshot.check": ([{"heap.snapshot": {"id": "s"}}, told(
        "heap.snapshot.check", "s", rule="root-first")], [["x", True]]),
    "heap.snapshot.count": ([*SNAPSHOT, told("heap.snapshot.count", "s",
                                             name="TriedHolder")],
                            [["x", ANY]]),
    "heap.snapshot.edges": ([*SNAPSHOT, {"heap.snapshot.edges": {
        "of": "s", "from": "TriedHolder", "to": "TriedHeld", "log": "x"}}],
        [["x", ANY]]),
    "heap.snapshot.size": ([*SNAPSHOT, told(
        "heap.snapshot.size", "s", name="NoSuchName", which="shallow")],
        [["x", 0]]),
    "heap.snapshot.diff": ([*SNAPSHOT, {"heap.snapshot.diff": {
        "from": "s", "to": "s", "name": "TriedHeld", "which": "new",
        "log": "x"}}], [["x", 0]]),
    "buffer.alloc": ([{"buffer.alloc": {"length": -1, "log": "x"}},
                      {"buffer.alloc": {"length": 9, "how": "slow",
                                        "log": "x"}}],
                     [["x", ANY], ["x", "ok"]]),
    "buffer.store": ([{"buffer.store": {"id": "s", "length": 9}},
                      told("buffer.show", "s", what="length")], [["x", 9]]),
    "buffer.from": ([BUFFER, told("buffer.bytes", "b")], [["x", "01020304"]]),
    "buffer.view": ([{"buffer.store": {"id": "s", "length": 9}},
                     {"buffer.view": {"id": "v", "of": "s", "offset": 4}},
                     told("buffer.show", "v", what="length")], [["x", 5]]),
    "buffer.slice": ([BUFFER, {"buffer.slice": {"id": "c", "of": "b",
                                                "how": "slice", "from": 2}},
                      told("buffer.bytes", "c")], [["x", "0304"]]),
    "buffer.concat": ([BUFFER, {"buffer.concat": {"id": "c", "of": "b",
                                                  "and": "b", "length": 5}},
                       told("buffer.bytes", "c")], [["x", "0102030401"]]),
    "buffer.copy": ([BUFFER, {"buffer.copy": {"of": "b", "into": "b", "at": 1,
                                              "log": "x"}},
                     told("buffer.bytes", "b")], [["x", 3], ["x", "01010203"]]),
    "buffer.fill": ([BUFFER, {"buffer.fill": {"of": "b", "value": 9,
                                              "from": 3}},
                     told("buffer.bytes", "b")], [["x", "01020309"]]),
    "buffer.set": ([BUFFER, {"buffer.set": {"of": "b", "at": 0, "value": 511}},
                    told("buffer.bytes", "b")], [["x", "ff020304"]]),
    "buffer.get": ([BUFFER, told("buffer.get", "b", at=3),
                    told("buffer.get", "b", at=4)], [["x", 4], ["x", None]]),
    "buffer.bytes": ([BUFFER, told("buffer.bytes", "b")],
                     [["x", "01020304"]]),
    "buffer.text": ([BUFFER, told("buffer.text", "b", encoding="hex")],
                    [["x", "01020304"]]),
    "buffer.show": ([BUFFER, told("buffer.show", "b", what="zero")],
                    [["x", False]]),
    "buffer.same-store": ([BUFFER, told("buffer.same-store", "b",
                                        **{"as": "b"})], [["x", True]]),
    "buffer.transfer": ([{"buffer.alloc": {"id": "a", "length": 3,
                                           "how": "slow"}},
                         {"buffer.transfer": {"id": "t", "of": "a",
                                              "how": "message"}},
                         told("buffer.show", "a", what="detached")],
                        [["x", True]]),
    "buffer.resize": ([{"buffer.store": {"id": "s", "length": 1, "most": 2,
                                         "kind": "resizable"}},
                       told("buffer.resize", "s", length=3)],
                      [["x", "!RangeError"]]),
    "buffer.pool-size": ([{"buffer.pool-size": {"bytes": 999, "log": "x"}}],
                         [["x", 999]]),
    "buffer.fresh-pool": ([{"buffer.fresh-pool": {}}], []),
    "buffer.limit": ([{"buffer.limit": {"of": "buffer", "log": "x"}}],
                     [["x", ANY]]),
}


def test_every_operation_is_tried() -> None:
    """The table has each operation that a runtime may have."""
    assert set(CASES) == set(operations()) - LIBRARY - ENDING


def needed(name: str) -> set[str]:
    """The capabilities of a case's own operation and the others in it."""
    found = {operations()[op].get("capability") for step in CASES[name][0]
             for op in step}
    if name == "heap.generation":
        found.add("heap.minor")
    return {capability for capability in found if capability}


def same(event: Any, expected: Any) -> bool:
    return bool(event == expected or (
        expected[1] is ANY and event[0] == expected[0]))


@pytest.mark.parametrize("name", CASES)
def test_heap_operation(
    adapter: Adapter, tmp_path: Path, name: str
) -> None:
    """The operation does what the vocabulary says, twice in one process."""
    offered = needed(name) <= set(adapter.start()["capabilities"])
    main, expected = CASES[name]
    for seq in range(2):
        answer = adapter.ask({"cmd": "run", "seq": seq, "files": {},
                              "dir": str(tmp_path),
                              "program": {"main": main}})
        if not offered:
            assert "unsupported" in answer
            continue
        events = answer["events"]
        assert len(events) == len(expected), events
        assert all(map(same, events, expected)), events


def test_what_a_library_has_is_unsupported(adapter: Adapter) -> None:
    """A program with an operation of heap libraries alone is not run."""
    adapter.start()
    for seq, name in enumerate(sorted(LIBRARY)):
        answer = adapter.run([{name: {}}], seq)
        assert answer["unsupported"] == f"operation `{name}`"


def test_evidence_counts_collections(adapter: Adapter) -> None:
    """A collection that took garbage is told as evidence of its kind."""
    if "heap.object" not in adapter.start()["capabilities"]:
        pytest.skip("collections cannot be asked for")
    answer = adapter.run([collect(), collect("minor"), collect("minor")])
    assert answer["evidence"] == {"major": 1, "minor": 2}


def test_a_dropped_id_is_no_root(adapter: Adapter) -> None:
    """Using what was dropped as an object is an error of the program."""
    adapter.start()
    answer = adapter.run([alloc(), {"heap.drop": "a"},
                          {"heap.link": {"from": "a", "slot": 0}}])
    assert answer["error"]["message"] == "`a` is a root no longer"
