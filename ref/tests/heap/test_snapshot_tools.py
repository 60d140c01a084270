# SPDX-License-Identifier: MIT
"""What other programs make of the reference's snapshots."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SAMPLE = os.environ["SNAPSHOT_SAMPLE"]
PLUMB_HEAP = os.environ["PLUMB_HEAP"]
ROOT = Path(__file__).resolve().parents[3]
MEMLAB = ROOT / ".runtimes/memlab-core-2"


@dataclass(frozen=True)
class Files:
    """Two snapshots, and what their writer said of them."""

    before: str
    after: str
    said: list[list[int]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("snapshots")
    names = [str(folder / f"{name}.heapsnapshot") for name in ("before", "after")]
    done = subprocess.run([SAMPLE, *names], capture_output=True, text=True,
                          check=True, timeout=120)
    said = [[int(word) for word in line.split()]
            for line in done.stdout.splitlines()]
    return Files(names[0], names[1], said)


def answer(*words: str) -> Any:
    """What plumb-heap says."""
    done = subprocess.run([PLUMB_HEAP, *words, "--json"], capture_output=True,
                          text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def shape(document: Any) -> Any:
    """What is the same in every snapshot of an implementation."""
    return [list(document), list(document["snapshot"]),
            document["snapshot"]["meta"]]


def test_counts_are_those_of_the_text(files: Files) -> None:
    """node_count, edge_count and the facts agree with the lists."""
    for path, (nodes, edges, size) in zip((files.before, files.after),
                                          files.said):
        text = Path(path).read_bytes()
        document = json.loads(text)
        head = document["snapshot"]
        assert (nodes, edges, size) == (head["node_count"],
                                        head["edge_count"], len(text))
        assert len(document["nodes"]) == 7 * nodes
        assert len(document["edges"]) == 3 * edges
        assert sum(document["nodes"][4::7]) == edges
        assert max(document["edges"][2::3]) < 7 * nodes
        assert not any(to % 7 for to in document["edges"][2::3])
        ids = document["nodes"][2::7]
        assert len(set(ids)) == nodes
        assert ids[0] == 1


def test_form_is_that_of_node_20(files: Files, tmp_path: Path) -> None:
    """The same keys in the same order, the same meta, word for word."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    version = subprocess.run([node, "--version"], capture_output=True,
                             text=True, check=True).stdout
    if not version.startswith("v20."):
        pytest.skip(f"this is Node {version.strip()}")
    real = tmp_path / "node.heapsnapshot"
    subprocess.run([node, "-e", "require('v8').writeHeapSnapshot("
                    f"{json.dumps(str(real))})"], check=True, timeout=120)
    assert (shape(json.loads(Path(files.before).read_bytes()))
            == shape(json.loads(real.read_bytes())))
    lines = [Path(path).read_bytes().split(b"\n")[:4]
             for path in (files.before, str(real))]
    assert [line[:10] for line in lines[0]][1:2] == [b'"nodes":[9']
    assert [[line.count(b",") for line in some[1:]] for some in lines] == [
        [6, 7, 7], [6, 7, 7]]


def test_summary_has_every_constructor(files: Files) -> None:
    """By name, with the bytes outside beside the object that holds them."""
    found = {row["constructor"]: row for row in answer(
        "summary", "--top", "1000", files.after)}
    assert found["Leaking"]["count"] == 500
    assert found["Leaking"]["size"] == 500 * 16
    assert found["Leaking"]["retained"] == 500 * (16 + 112)
    assert found["Array"]["count"] == 2
    assert found["system / JSArrayBufferData"]["size"] == 1 << 20
    assert found["ArrayBuffer"]["retained"] > 1 << 20


def test_comparison_finds_the_leak(files: Files) -> None:
    """Objects that moved have their ids; what came is what leaks."""
    rows = {row["constructor"]: row for row in answer(
        "diff", "--top", "1000", files.before, files.after)}
    assert (rows["Leaking"]["added"], rows["Leaking"]["removed"]) == (500, 0)
    assert "Item" not in rows or rows["Item"]["added"] == 0
    assert "Item" not in rows or rows["Item"]["removed"] == 0


SCRIPT = """
const {analysis, utils} = require('@memlab/core');
utils.getSnapshotFromFile(process.argv[2], {buildNodeIdIndex: true})
  .then((heap) => {
    analysis.preparePathFinder(heap);
    const found = {};
    heap.nodes.forEach((n) => {
      found[n.id] = [n.name, n.self_size, n.retainedSize];
    });
    require('fs').writeFileSync(process.argv[3], JSON.stringify(found));
  });
"""


def test_memlab_opens_it_and_retained_sizes_agree(
        files: Files, tmp_path: Path) -> None:
    """Every node: name, own size, retained size."""
    if not (MEMLAB / "node_modules/@memlab/core").is_dir():
        pytest.skip("memlab is not installed; the tests of plumb-heap do it")
    script, out = tmp_path / "memlab.cjs", tmp_path / "memlab.json"
    script.write_text(SCRIPT)
    subprocess.run(
        ["node", str(script), files.after, str(out)], check=True, timeout=300,
        capture_output=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "NODE_PATH": str(MEMLAB / "node_modules")})
    theirs = {int(id): node for id, node in json.loads(out.read_text()).items()}
    document = json.loads(Path(files.after).read_bytes())
    nodes, strings = document["nodes"], document["strings"]
    assert {nodes[i + 2]: [strings[nodes[i + 1]], nodes[i + 3]]
            for i in range(0, len(nodes), 7)} == {
        id: node[:2] for id, node in theirs.items()}
    ours = {row["id"]: row["retained"] for row in answer(
        "dominators", "--top", "10000000", files.after)}
    assert len(ours) > 10_000
    assert {id: size for id, size in ours.items()
            if theirs[id][2] != size} == {}
