# SPDX-License-Identifier: MIT
"""The tree of files around a program, lowered to plain texts.

    files:
      a.js: "text"
      package.json: {json: {name: p}}
      b.js: {module: [operations]}          a CommonJS module, by the program
      c.mjs: {esm: {imports: {id: ./b.js}, exports: [x], do: [operations]}}
      d: {link: a.js}
      e: {hard-link: a.js}
      f: {directory: {}}

A module's body becomes `program.bodies[N]`, and its file a text that calls
plumb(N, ...): a JavaScript runtime runs it as it is, any other host reads the
number out of it. Links and directories become operations in front of main.
Invariant: what comes out are texts and operations only, so the judge writes
files and knows nothing of this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from plumbline.corpus._problems import did_you_mean, shown
from plumbline.corpus._program import Module
from plumbline.corpus._yaml import Map, Seq, Value, line_of

__all__ = ["Tree", "read_tree"]

Add = Callable[[int, str, str], None]

_SAFE_PATH = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[^\\\x00-\x1f]+\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KINDS = ("json", "module", "esm", "link", "hard-link", "directory")
_ESM_KEYS = ("imports", "stars", "exports", "do", "await")
_CALL = "plumb({}, exports, require, module, __filename, __dirname);\n"


@dataclass
class Tree:
    """What `files` stands for."""

    files: dict[str, str] = field(default_factory=dict)
    setup: list[Any] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def lowered(
        self, main: Sequence[Any], modules: Sequence[Module]
    ) -> list[Any]:
        """The main program with all that the tree adds to it; the bodies of
        `modules`, and of those that the program writes, go to `bodies`."""
        self.bodies = [None] * len(modules)
        for index, module in enumerate(modules):
            body = self._lower(module.body)
            self.bodies[index] = body if not module.esm else {
                "imports": [id for id, _ in module.imports], "do": body}
        return [*self.setup, *self._lower(main)]

    def _lower(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._lower(item) for item in node]
        if not isinstance(node, dict):
            return node
        result = {key: self._lower(part) for key, part in node.items()}
        write = result.get("tree.write")
        if isinstance(write, dict) and "module" in write:
            self.bodies.append(write.pop("module"))
            write["text"] = _CALL.format(len(self.bodies) - 1)
        elif isinstance(write, dict) and "json" in write:
            write["text"] = json_text(write.pop("json"))
        return result


def json_text(value: Any) -> str:
    """A value as a person writes it, on one line."""
    return json.dumps(value, ensure_ascii=False)


def _words(value: Value) -> list[str]:
    return [str(v) for v in value] if isinstance(value, Seq) else []


class _Reader:
    def __init__(self, add: Add) -> None:
        self.add = add
        self.tree = Tree()

    def read(self, files: Map) -> Tree:
        for path, entry in files.items():
            line = files.line_at(path)
            if not _SAFE_PATH.match(path):
                self.add(line, f"{shown(path)} leads out of the case's "
                         "directory", "write a relative path without `..`")
            elif isinstance(entry, str):
                self.tree.files[path] = entry
            elif isinstance(entry, Map):
                self.entry(path, entry)
            else:
                self.add(line_of(entry, line), f"the file `{path}` must be "
                         f"text or a mapping, not {shown(entry)}",
                         "write `{json: ...}` for the text of a value")
        return self.tree

    def entry(self, path: str, entry: Map) -> None:
        kinds = [key for key in entry if key != "before"]
        known = [*_KINDS, "before"]
        if len(kinds) != 1 or kinds[0] not in _KINDS:
            strange = next((k for k in kinds if k not in _KINDS), "")
            self.add(entry.line, f"the file `{path}` is {shown(strange)}"
                     if strange else f"the file `{path}` is {len(kinds)} "
                     "things", did_you_mean(strange, known, most=20))
            return
        kind = kinds[0]
        value = entry[kind]
        before = entry.get("before", "")
        if "before" in entry and (
            not isinstance(before, str) or kind not in ("module", "esm")
        ):
            self.add(entry.line_at("before"), "`before` is text in front of "
                     "a module", "write the whole file as text")
            return
        if kind == "json":
            self.tree.files[path] = json_text(value)
        elif kind == "directory":
            self.directory(path, value, entry.line_at(kind))
        elif kind in ("link", "hard-link"):
            self.link(path, kind, value, entry.line_at(kind))
        elif kind == "module":
            body = self.body(value, entry.line_at(kind))
            text = _CALL.format(self.module(Module(body)))
            self.tree.files[path] = str(before) + text
        else:
            self.esm(path, str(before), value, entry.line_at(kind))

    def module(self, module: Module) -> int:
        self.tree.modules.append(module)
        return len(self.tree.modules) - 1

    def body(self, value: Value, line: int) -> Seq:
        if isinstance(value, Seq):
            return value
        self.add(line_of(value, line), "the body of a module must be a list "
                 f"of operations, not {shown(value)}", "write `[{log: x}]`")
        return Seq(line)

    def directory(self, path: str, value: Value, line: int) -> None:
        if value != {}:
            self.add(line, f"`directory` is {shown(value)}", "write `{}`; "
                     "files below it make it as well")
        self.tree.setup.append({"tree.directory": path})

    def link(self, path: str, kind: str, value: Value, line: int) -> None:
        if not isinstance(value, str) or not value:
            self.add(line, f"`{kind}` is {shown(value)}",
                     "write the path that it leads to")
        self.tree.setup.append({f"tree.{kind}": {"path": path, "to": value}})

    def esm(self, path: str, before: str, value: Value, line: int) -> None:
        if not isinstance(value, Map):
            self.add(line, f"`esm` must be a mapping, not {shown(value)}",
                     "with `imports`, `exports`, `do`")
            return
        for key in value:
            if key not in _ESM_KEYS:
                self.add(value.line_at(key), f"unknown key `{key}`",
                         did_you_mean(key, _ESM_KEYS, most=20))
        raw = value.get("imports")
        imports = raw if isinstance(raw, Map) else Map(line)
        names = _words(value.get("exports"))
        for name in names:
            if not _NAME.match(name):
                self.add(value.line_at("exports"), f"{shown(name)} is no name "
                         "of an export", "write a plain identifier")
        body = self.body(value.get("do", Seq(line)), value.line_at("do"))
        number = self.module(Module(
            body, esm=True,
            imports=tuple((id, imports.line_at(id)) for id in imports)))
        self.tree.files[path] = before + _esm_text(
            number, imports, _words(value.get("stars")), names,
            value.get("await") is True)


def _esm_text(
    number: int, imports: Map, stars: list[str], names: list[str],
    waits: bool,
) -> str:
    """The text of an ES module whose body is program.bodies[number]."""
    lines = [f"import * as i{index} from {json.dumps(specifier)};"
             for index, specifier in enumerate(imports.values())]
    lines += [f"export * from {json.dumps(star)};" for star in stars]
    if names:
        lines.append("let " + ", ".join(
            f"e{index}" for index in range(len(names))) + ";")
        lines.append("export {" + ", ".join(
            f"e{index} as {name}" for index, name in enumerate(names)) + "};")
    given = ", ".join(f"{json.dumps(id)}: i{index}"
                      for index, id in enumerate(imports))
    setters = ", ".join(f"{json.dumps(name)}: (v) => {{ e{index} = v; }}"
                        for index, name in enumerate(names))
    lines.append(f"{'await ' if waits else ''}plumb({number}, import.meta, "
                 f"{{{given}}}, {{{setters}}});")
    if not names and not stars:
        lines.append("export {};")
    return "\n".join(lines) + "\n"


def read_tree(files: Value, add: Add) -> Tree:
    """What the key `files` of a case stands for; no tree without it."""
    return _Reader(add).read(files) if isinstance(files, Map) else Tree()
