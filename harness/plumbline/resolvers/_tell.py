# SPDX-License-Identifier: MIT
"""A difference for people, and as a case of the corpus."""

from __future__ import annotations

import json
from pathlib import Path

from plumbline.resolvers._trees import TreeDifference

__all__ = ["tell", "write_case"]


def tell(one: TreeDifference) -> list[str]:
    """The lines that say what differs, and where."""
    how = "import" if one.question.mode == "i" else "require"
    lines = [
        f"{one.node.label}, seed {one.seed}: {how} "
        f"{json.dumps(one.question.specifier)} from "
        f"{one.question.place or '.'}: {one.what} differs"]
    for name, text in one.tree.files.items():
        lines.append(f"  {name}  {json.dumps(text)}")
    lines += [f"  {name} -> {target}"
              for name, target in one.tree.links.items()]
    lines += [f"  {name}/" for name in one.tree.folders]
    lines.append(f"  Node  {json.dumps(dict(one.theirs))}")
    lines.append(f"  ours  {json.dumps(dict(one.ours))}")
    return lines


def write_case(one: TreeDifference, folder: Path, again: str) -> Path:
    """Writes the tree and the question as a case; gives its file. What Node
    answers stands as the expectation: whether that is a rule is for the
    reader to find out."""
    files: dict[str, object] = dict(one.tree.files)
    for name, target in one.tree.links.items():
        files[name] = {"link": target.replace("<root>", "$dir")}
    for name in one.tree.folders:
        files[name] = {"directory": True}
    answer = one.theirs.get("path")
    if isinstance(answer, str):
        found = answer.removeprefix("<root>/")
    else:
        found = f"!{one.theirs.get('code') or one.theirs.get('name')}"
    asked: dict[str, object] = {
        "specifier": one.question.specifier.replace("<root>", "$dir"),
        "log": "found"}
    if one.question.mode == "i":
        asked["via"] = "import"
    if one.question.place:
        asked["from"] = f"{one.question.place}/main.js"
    path = folder / f"modules-{one.node.major}-{one.seed}.yaml"
    path.write_text("\n".join([
        "# Found by a search; the rule is to be named.",
        f"# Again: {again}",
        *(f"# {line}" for line in tell(one)),
        "cases:",
        f"  - id: found-{one.node.major}-{one.seed}",
        f"    files: {json.dumps(files)}",
        f"    program: [{json.dumps({'resolve': asked})}]",
        f"    expect: [{json.dumps(['found', found])}]",
        ""]), encoding="utf-8")
    return path
