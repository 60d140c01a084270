# SPDX-License-Identifier: MIT
"""plumb-heap on snapshots that are made up, real, and broken."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAM = os.environ["PLUMB_HEAP"]
ROOT = Path(__file__).resolve().parents[4]

NODE_TYPES = ["hidden", "array", "string", "object", "code", "closure",
              "regexp", "number", "native", "synthetic", "concatenated string",
              "sliced string", "symbol", "bigint", "object shape"]
EDGE_TYPES = ["context", "element", "property", "internal", "hidden",
              "shortcut", "weak"]

Edge = tuple[str, "str | int", int]


def snapshot(nodes: list[tuple[str, str, int, list[Edge]]],
             first_id: int = 1) -> dict[str, Any]:
    """The file of nodes (type, name, size, edges to other nodes); ids are
    first_id, first_id + 2, ..."""
    strings: dict[str, int] = {"": 0}

    def text(name: str) -> int:
        return strings.setdefault(name, len(strings))

    numbers: list[int] = []
    edges: list[int] = []
    for n, (kind, name, size, out) in enumerate(nodes):
        numbers += [NODE_TYPES.index(kind), text(name), first_id + 2 * n,
                    size, len(out), 0]
        for how, label, to in out:
            edges += [EDGE_TYPES.index(how),
                      label if isinstance(label, int) else text(label), 6 * to]
    return {
        "snapshot": {"meta": {
            "node_fields": ["type", "name", "id", "self_size", "edge_count",
                            "trace_node_id"],
            "node_types": [NODE_TYPES, "string", "number", "number", "number",
                           "number"],
            "edge_fields": ["type", "name_or_index", "to_node"],
            "edge_types": [EDGE_TYPES, "string_or_number", "node"],
        }, "node_count": len(nodes), "edge_count": len(edges) // 3},
        "nodes": numbers, "edges": edges, "locations": [],
        "strings": list(strings),
    }


def run(*words: str, stdin: bytes | None = None
        ) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], input=stdin.decode("latin-1") if stdin else None,
        capture_output=True, encoding="utf-8", errors="replace", timeout=120)


def answer(*words: str) -> Any:
    done = run(*words, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def write(folder: Path, value: Any, name: str = "a.heapsnapshot") -> str:
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


SMALL: list[tuple[str, str, int, list[Edge]]] = [
    ("synthetic", "", 1, [("element", 1, 1), ("shortcut", "global", 2),
                          ("shortcut", "far", 6)]),
    ("synthetic", "(GC roots)", 2, [("element", 0, 2)]),
    ("object", "Global", 10, [("property", "left", 3),
                              ("property", "right", 4),
                              ("weak", "gone", 7)]),
    ("object", "Left", 20, [("property", "shared", 5)]),
    ("closure", "right", 30, [("context", "shared", 5),
                              ("shortcut", "far", 6)]),
    ("object", "Shared", 40, [("property", "back", 2)]),
    ("object", "Far", 50, [("property", "self", 6)]),
    ("string", "t\u00e4xt\n\"", 60, []),
]


def test_retained_sizes_of_a_small_graph(tmp_path: Path) -> None:
    """A shared node is kept by the one above both; weak edges and shortcuts
    below the root keep nothing."""
    path = write(tmp_path, snapshot(SMALL))
    found = {item["name"]: item["retained"]
             for item in answer("dominators", path)}
    assert found == {
        "Global": 100, "Far": 50, "Shared": 40, "right()": 30, "Left": 20,
        '"t\u00e4xt.""': 60}
    stats = answer("stats", path)
    assert (stats["nodes"], stats["edges"], stats["size"],
            stats["unreachable"]) == (8, 12, 213, 1)
    summary = {item["constructor"]: (item["count"], item["size"],
                                     item["retained"])
               for item in answer("summary", path)}
    assert summary["(synthetic)"] == (2, 3, 213)
    assert summary["Function"] == (1, 30, 30)
    assert summary["(string)"] == (1, 60, 60)


def test_a_path_is_the_shortest_that_keeps_alive(tmp_path: Path) -> None:
    path = write(tmp_path, snapshot(SMALL))
    steps = answer("path", "--id", "11", path)
    assert [(s["edge"], s["name"]) for s in steps] == [
        (".global", "Global"), (".left", "Left"), (".shared", "Shared")]
    assert answer("path", "--id", "15", path) == []
    done = run("path", "--id", "99", path)
    assert done.returncode == 2 and "no node has the id 99" in done.stderr


def test_diff_counts_by_id_and_names_the_culprit(tmp_path: Path) -> None:
    """New, deleted and their bytes; the way by which the largest new one is
    kept."""
    def file(name: str, ids: range, size: int) -> str:
        nodes: list[tuple[str, str, int, list[Edge]]] = [
            ("synthetic", "", 0, [("shortcut", "global", 1)]),
            ("object", "Global", 8, [("property", "list", 2)]),
            ("object", "Array", 16,
             [("element", n, 3 + n) for n in range(len(ids))]),
        ]
        nodes += [("object", "Leak", size, []) for _ in ids]
        value = snapshot(nodes)
        for n, id in enumerate(ids):
            value["nodes"][6 * (3 + n) + 2] = id
        return write(tmp_path, value, name)

    old, new = file("a", range(101, 104), 8), file("b", range(103, 113), 8)
    (item,) = answer("diff", old, new)
    assert (item["constructor"], item["added"], item["removed"],
            item["added_size"], item["removed_size"], item["retained"]) == (
        "Leak", 9, 2, 72, 16, 80)
    assert [s["edge"] for s in item["path"]] == [".global", ".list", "[1]"]
    text = run("diff", old, new).stdout
    assert "of Leak the one that retains most, @104, is kept alive by" in text
    assert answer("diff", old, old) == []


def brute(value: dict[str, Any]) -> dict[int, int]:
    """Retained sizes by their definition: what is lost without the node."""
    nodes, edges = value["nodes"], value["edges"]
    count = len(nodes) // 6
    out: list[list[int]] = []
    at = 0
    for n in range(count):
        many = nodes[6 * n + 4]
        out.append([edges[3 * e + 2] // 6 for e in range(at, at + many)
                    if EDGE_TYPES[edges[3 * e]] != "weak"])
        at += many

    def reached(without: int) -> set[int]:
        seen = {0} - {without}
        work = list(seen)
        while work:
            for to in out[work.pop()]:
                if to != without and to not in seen:
                    seen.add(to)
                    work.append(to)
        return seen

    whole = reached(-1)
    size = {n: nodes[6 * n + 3] for n in range(count)}
    return {
        nodes[6 * n + 2]: sum(size[m] for m in whole - reached(n))
        for n in whole - {0}
    }


def test_retained_sizes_are_what_their_definition_says(
    tmp_path: Path
) -> None:
    """On random graphs with cycles, double and weak edges."""
    random.seed(7)
    for trial in range(60):
        count = random.randint(2, 24)
        value = snapshot([
            ("object" if n else "synthetic", f"N{n}", random.randint(0, 50),
             [(random.choice(["property", "property", "weak"]), "x",
               random.randrange(count))
              for _ in range(random.randint(0, 4))])
            for n in range(count)
        ])
        path = write(tmp_path, value, f"{trial}")
        found = {i["id"]: i["retained"]
                 for i in answer("dominators", "--top", "100", path)}
        for id, bytes in brute(value).items():
            assert found[id] == bytes, (trial, id)


def test_a_list_of_a_million_needs_no_stack(tmp_path: Path) -> None:
    count = 1_000_000
    nodes = [9, 0, 1, 0, 1, 0] + [
        x for n in range(1, count)
        for x in (3, 0, 2 * n + 1, 8, int(n < count - 1), 0)]
    edges = [x for n in range(1, count) for x in (2, 0, 6 * n)]
    value = snapshot([("synthetic", "", 0, [])])
    value.update(nodes=nodes, edges=edges)
    path = write(tmp_path, value)
    first = answer("dominators", "--top", "1", path)[0]
    assert (first["id"], first["retained"]) == (3, 8 * (count - 1))
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -s 256; exec "$0" path --id 1999999 "$1"',
         PROGRAM, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "steps more" in done.stdout


@pytest.mark.parametrize("change, said", [
    (lambda v: v.pop("nodes"), "this is no heap snapshot in V8's format"),
    (lambda v: v["nodes"].pop(), "the last node is not whole"),
    (lambda v: v["edges"].pop(), "the last edge is not whole"),
    (lambda v: v["edges"].extend([2, 0, 0]), "fewer edges than there are"),
    (lambda v: v["nodes"].__setitem__(4, 2**63), "more edges than there are"),
    (lambda v: v["nodes"].__setitem__(1, 999), "a node's name does not exist"),
    (lambda v: v["nodes"].__setitem__(0, 999), "a node's type does not exist"),
    (lambda v: v["edges"].__setitem__(2, 7), "an edge leads to no node"),
    (lambda v: v["edges"].__setitem__(2, 6000), "an edge leads to no node"),
    (lambda v: v["edges"].__setitem__(4, 999), "an edge's name does not"),
    (lambda v: v["snapshot"].pop("meta"), "`snapshot.meta` does not say"),
    (lambda v: v.update(nodes=[], edges=[]), "there is no node"),
    (lambda v: v["nodes"].__setitem__(3, -1), "a number is missing"),
    (lambda v: v["nodes"].__setitem__(3, 2**70), "this number is too large"),
    (lambda v: v.update(strings={}), "an array is missing"),
], ids=range(15))
def test_a_broken_snapshot_is_told(
    change: Any, said: str, tmp_path: Path
) -> None:
    """With its file, and never believed."""
    value = snapshot(SMALL)
    change(value)
    path = write(tmp_path, value)
    done = run("stats", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"plumb-heap: {path}: ")
    assert said in done.stderr


def test_a_snapshot_that_ends_anywhere_is_told(tmp_path: Path) -> None:
    """At any byte."""
    text = json.dumps(snapshot(SMALL)).encode()
    path = tmp_path / "cut"
    for length in range(0, len(text), 11):
        path.write_bytes(text[:length])
        done = run("summary", str(path))
        assert (done.returncode, done.stdout) == (2, ""), length
        assert len(done.stderr.splitlines()) == 1


def test_a_snapshot_with_bytes_changed_is_read_or_told(tmp_path: Path) -> None:
    """And never crashes."""
    random.seed(3)
    text = json.dumps(snapshot(SMALL)).encode()
    path = tmp_path / "changed"
    for _ in range(120):
        bytes = bytearray(text)
        for _ in range(random.randint(1, 4)):
            bytes[random.randrange(len(bytes))] = random.choice(
                b'0123456789,:[]{}"\\ \x00\xff')
        path.write_bytes(bytes)
        for verb in ("summary", "dominators"):
            done = run(verb, str(path))
            assert done.returncode in (0, 2), (bytes, done.stderr)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    done = run("stats", "-", stdin=json.dumps(snapshot(SMALL)).encode())
    assert done.returncode == 0 and "8 nodes" in done.stdout


@pytest.mark.parametrize("words", [
    [], ["stats"], ["stats", "a", "b"], ["diff", "a"], ["nothing", "a"],
    ["path", "a"], ["stats", "--id", "1", "a"], ["stats", "--top", "0", "a"],
    ["summary", "--sort", "age", "a"], ["stats", "--bad", "a"],
])
def test_a_wrong_command_line_is_told(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    done = run("stats", str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (
        2, f"plumb-heap: {tmp_path}/none: cannot be read: No such file or "
        "directory\n")
    done = run("stats", str(tmp_path))
    assert done.returncode == 2 and "Is a directory" in done.stderr


LEAK = """
const v8 = require('v8');
class LeakClass { constructor() { this.x = [1, 2]; } }
const weak = new WeakMap();
const leaked = [];
globalThis.cache = {leaked, weak};
v8.writeHeapSnapshot('a.heapsnapshot');
for (let n = 0; n < 2000; n++) {
  const one = new LeakClass();
  weak.set(one, {n});
  leaked.push(one);
}
v8.writeHeapSnapshot('b.heapsnapshot');
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two snapshots of a real Node that leaks in between."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    folder = tmp_path_factory.mktemp("real")
    subprocess.run([node, "-e", LEAK], cwd=folder, check=True, timeout=120)
    return folder


def test_a_real_leak_is_named(real: Path) -> None:
    old, new = (str(real / f"{x}.heapsnapshot") for x in "ab")
    found = answer("diff", old, new)
    leak = next(i for i in found if i["constructor"] == "LeakClass")
    assert (leak["added"], leak["removed"]) == (2000, 0)
    assert [s["edge"] for s in leak["path"]][-2] == ".leaked"
    text = run("diff", old, new).stdout
    assert "of LeakClass the one that retains most" in text
    assert ".cache → Object" in text


MEMLAB = """
const {analysis, utils} = require('@memlab/core');
utils.getSnapshotFromFile(process.argv[2], {buildNodeIdIndex: true})
  .then((heap) => {
    analysis.preparePathFinder(heap);
    const found = {};
    heap.nodes.forEach((n) => { found[n.id] = n.retainedSize; });
    require('fs').writeFileSync(process.argv[3], JSON.stringify(found));
  });
"""


def test_retained_sizes_are_memlabs(real: Path) -> None:
    """Every node of a real snapshot."""
    folder = ROOT / ".runtimes/memlab-core-2"
    if not (folder / "node_modules/@memlab/core").is_dir():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not here")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts",
             "--prefix", str(folder), "@memlab/core@2"],
            capture_output=True, text=True, timeout=600)
        if done.returncode:
            pytest.skip(f"memlab cannot be installed: {done.stderr[-200:]}")
    script, out = real / "memlab.cjs", real / "memlab.json"
    script.write_text(MEMLAB)
    path = str(real / "b.heapsnapshot")
    subprocess.run(
        ["node", str(script), path, str(out)], check=True, timeout=300,
        capture_output=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "NODE_PATH": str(folder / "node_modules")})
    theirs = {int(id): bytes
              for id, bytes in json.loads(out.read_text()).items()}
    ours = {i["id"]: i["retained"]
            for i in answer("dominators", "--top", "10000000", path)}
    assert len(ours) > 10_000
    assert {id: bytes for id, bytes in ours.items()
            if theirs[id] != bytes} == {}
