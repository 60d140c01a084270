# SPDX-License-Identifier: MIT
"""Trees of files to resolve in: written ones, and random ones from a seed.

Invariant: a tree is a mapping of relative path to content, so it can be shrunk
by leaving paths out; the same seed gives the same tree and questions.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.resolvers._ask import Question

__all__ = ["Tree", "random_tree", "write_tree"]


@dataclass
class Tree:
    """Files (text), links (target) and empty directories, and questions."""

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def write_tree(root: Path, tree: Tree) -> None:
    """Writes a tree below `root`, without what is in the way of another."""
    for folder in tree.folders:
        _make_folder(root / folder)
    for name, content in tree.files.items():
        path = root / name
        if _make_folder(path.parent) and not path.exists():
            path.write_text(content, encoding="utf-8", newline="")
    for name, target in tree.links.items():
        path = root / name
        if _make_folder(path.parent) and not os.path.lexists(path):
            path.symlink_to(target.replace("<root>", str(root)))


def _make_folder(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True


_NAMES = ["a", "b", "p", "q", "lib", "x", "index", "a.b", "p.js", ".h",
          "node_modules", "@s"]
_ENDS = ["", ".js", ".json", ".node", ".mjs", ".cjs", ".js.js"]
_FOLDERS = ["", "a", "b", "lib", "a/b", "lib/x", "node_modules",
            "a/node_modules"]
_PACKAGES = ["p", "q", "@s/p", "a", "x.js"]

# Texts of package.json that are broken, or odd.
_BROKEN = [
    "", " ", "{", "[]", "null", '"x"', "{a:1}", '{"main":"a.js",}', "{}x",
    "{}}", '{"a":tru}', '{"a":1 /* c */}', '\ufeff{"main":"a.js"}',
    '{"main":"a\\u002ejs"}', '{"m\\u0061in":"a.js"}',
    '{"main":"a.js","main":"b.js"}', '{"exports":{"a":tru}}', '{"name":5}',
    '{"type":null}', '{"main":"a.js","main":5}', '{"a":[}],"main":"a"}',
    '{"exports":{"require":"./a.js","default":"./x.js","require":"./b.js"}}',
    '{"exports":"[\\"./a.js\\"]"}', '{"x":"\\q","main":"a.js"}',
    '{"a":{"b":}}']


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.tree = Tree()

    def target(self, depth: int = 0) -> object:
        pick = self.chance.random()
        if pick < 0.55 or depth > 2:
            return self.chance.choice(
                ["./a.js", "./index.js", "./lib/*.js", "./*", "./lib/*",
                 "./*/*.js", "./a", "./nope.js", "./lib/", "./a%20b.js",
                 "./a.js?x", "./%61.js", "../a.js", "a.js", "./x/../a.js",
                 "./node_modules/q/index.js", "", "./", "/a.js", "././/a.js",
                 "./lib\\a.js", "./a%2fb.js", "./%zz.js", "./b/./a.js", "p",
                 "q/x", "@s/p", "fs", "node:fs", "./A.js", "./a.js#y", "./p*q",
                 "./\t./a.js", "./a\u00e9.js"])
        if pick < 0.70:
            keys = self.chance.sample(
                ["require", "import", "node", "default", "browser",
                 "module-sync", "zed", "node-addons", "types", "0", "1.5",
                 "./x", ""], self.chance.randint(0, 4))
            return {key: self.target(depth + 1) for key in keys}
        if pick < 0.80:
            return [self.target(depth + 1)
                    for _ in range(self.chance.randint(0, 3))]
        if pick < 0.93:
            return None
        return self.chance.choice([5, True, False, 0])

    def exports(self) -> object:
        if self.chance.random() < 0.35:
            return self.target()
        keys = self.chance.sample(
            [".", "./a", "./a.js", "./*", "./lib/*", "./lib/*.js", "./*.js",
             "./x", "./lib/", "./l*b/a", "./**", "./b/*/c", "./package.json",
             "./", "./a/*", "require", "default", "./*/x", "./x/*y*"],
            self.chance.randint(0, 5))
        return {key: self.target() for key in keys}

    def imports(self) -> object:
        if self.chance.random() < 0.08:
            return self.chance.choice([None, "x", [], 5, ["./a.js"], "#a"])
        keys = self.chance.sample(
            ["#a", "#b", "#lib/*", "#*", "#a/*.js", "#", "#/x", "#x/", "#p",
             "#lib/*/x", "a"],
            self.chance.randint(0, 5))
        return {key: self.target() for key in keys}

    def package(self, name: str | None) -> str:
        if self.chance.random() < 0.06:
            return self.chance.choice(_BROKEN)
        content: dict[str, object] = {}
        fields = ["name", "main", "exports", "imports", "type", "other"]
        self.chance.shuffle(fields)
        for field_name in fields:
            pick = self.chance.random()
            if field_name == "name" and pick < 0.7:
                content["name"] = name or self.chance.choice(
                    ["p", "me", "@s/p", "a"])
            elif field_name == "main" and pick < 0.5:
                content["main"] = self.chance.choice(
                    ["a", "a.js", "./lib", "lib/", "../b", "/a.js", "", ".",
                     "./", "nope", "index", "./x/../a.js", 5, None, {"a": 1},
                     "b.json", "lib/x", "..", "p.js/", "a\u0000b"])
            elif field_name == "exports" and pick < 0.5:
                content["exports"] = self.exports()
            elif field_name == "imports" and pick < 0.4:
                content["imports"] = self.imports()
            elif field_name == "type" and pick < 0.3:
                content["type"] = self.chance.choice(
                    ["module", "commonjs", "x"])
            elif field_name == "other" and pick < 0.3:
                content["scripts"] = {"a": [1, {"b": "}"}], "c": '"'}
        text = json.dumps(content, ensure_ascii=self.chance.random() < 0.5)
        return self.spoil(text) if self.chance.random() < 0.06 else text

    def spoil(self, text: str) -> str:
        """A text with a character or two put in, left out or changed."""
        for _ in range(self.chance.randint(1, 2)):
            at = self.chance.randint(0, len(text))
            other = self.chance.choice(
                "{}[]\":,\\ \n\t0123-.eE+tfnu\u00e9x/\x01")
            text = self.chance.choice(
                [text[:at] + other + text[at:], text[:at] + text[at + 1:],
                 text[:at] + other + text[at + 1:], text[:at]])
        return text

    def fill(self, folder: str, name: str | None, many: int) -> None:
        base = f"{folder}/" if folder else ""
        if name is not None or self.chance.random() < 0.3:
            if self.chance.random() < 0.85:
                self.tree.files[f"{base}package.json"] = self.package(name)
            elif self.chance.random() < 0.3:
                self.tree.folders.append(f"{base}package.json")
        for _ in range(self.chance.randint(0, many)):
            path = (base + self.chance.choice(_NAMES)
                    + self.chance.choice(_ENDS))
            if self.chance.random() < 0.12:
                self.tree.folders.append(path)
            else:
                self.tree.files[path] = ""
        for extra in ("a b.js", "A.js", "a\u00e9.js"):
            if self.chance.random() < 0.1:
                self.tree.files[base + extra] = ""

    def build(self) -> Tree:
        for folder in self.chance.sample(_FOLDERS, 5):
            self.fill(folder, None, 5)
        for where in ("", "a/", "a/b/", "lib/"):
            for package in self.chance.sample(_PACKAGES,
                                              self.chance.randint(0, 2)):
                folder = f"{where}node_modules/{package}"
                self.fill(folder, package, 4)
                if self.chance.random() < 0.5:
                    self.fill(f"{folder}/lib", None, 3)
        for _ in range(self.chance.randint(0, 4)):
            folder = self.chance.choice(
                _FOLDERS + ["node_modules/@s", "store"])
            name = (f"{folder}/" * bool(folder)
                    + self.chance.choice(_NAMES + ["p", "q"]))
            target = self.chance.choice(
                ["..", ".", "a", "a.js", "../a", "../node_modules/p",
                 "<root>/lib", "nope", "<root>/a/node_modules/q", "x",
                 "../lib/a.js", "b/", "<root>/a/b/../a.js", "p.js",
                 "index.js", "../../lib"])
            name += self.chance.choice(["", "", ".js", ".json"])
            self.tree.links[name] = target
        self.ask()
        return self.tree

    def ask(self) -> None:
        places = ["", "a", "b", "a/b", "lib", "lib/x", "node_modules/p",
                  "node_modules/p/lib", "a/node_modules/q",
                  "node_modules/@s/p", "node_modules", "nope", "a/nope"]
        for _ in range(60):
            self.tree.questions.append(
                Question("r" if self.chance.random() < 0.6 else "i",
                         self.chance.choice(places), self.specifier()))

    def specifier(self) -> str:
        pick = self.chance.random()
        name = self.chance.choice(_NAMES + ["nope", "A"])
        path = "/".join(self.chance.choice(_NAMES + ["..", ".", "", "nope"])
                        for _ in range(self.chance.randint(0, 2)))
        tail = self.chance.choice(
            ["", "", "", ".js", ".json", "/", "/.", "/..", ".mjs"])
        if pick < 0.35:
            lead = self.chance.choice(
                ["./", "../", "./", "../../", ".", "..", "./../"])
            return lead + name + ("/" + path) * bool(path) + tail
        if pick < 0.70:
            package = self.chance.choice(
                _PACKAGES + ["me", "@s", "nope", "@s/nope", "fs", "p.js"])
            sub = self.chance.choice(
                ["", "", "", "/a", "/a.js", "/lib", "/lib/a", "/x", "/",
                 "/lib/", "/package.json", "/b/a/c", "/../q", "/./a", "//a",
                 "/%61", "/a?x", "/lib/x.js", "/lib/node_modules", "/a/..",
                 "/l*b/a", "/*", "/a%2fb", "/a#y", "/a\\b"])
            return str(package) + str(sub)
        if pick < 0.80:
            return str(self.chance.choice(
                ["#a", "#b", "#lib/a", "#lib/a/x", "#a/x.js", "#", "#/x",
                 "#x/", "#p", "#nope", "#lib/../a", "#lib/node_modules/x"]))
        if pick < 0.88:
            return str(self.chance.choice(
                [".", "..", "./", "../", "...", ".a", "..a", "./.", "./..",
                 "/", "//", "./a.js/", "./%61.js", "./a%20b", "./a b", "./a?x",
                 "./a.js?x#y", "./a%2fb", "./%zz", "./a.js#", "./\u00e9",
                 "./a\u00e9.js", "/nope", ".//a", "./\\a.js", ".\\a", "~/a",
                 "a\\b", "./\ta.js", " ./a.js", "./a.js ", "./a|b", "p\nx",
                 "p/\n", "@", "@/", "@s/", "@/p"]))
        if pick < 0.94:
            return str(self.chance.choice(
                ["fs", "node:fs", "node:nope", "fs/", "fs/promises", "fs/nope",
                 "test", "node:test", "node:sqlite", "data:text/javascript,1",
                 "file:a", "http://a/b", "https:", "x:y", "file:///nope.js",
                 "file://host/x", "node:fs/promises", "NODE:fs", "sys",
                 "internal/util", "_http_agent"]))
        return "<root>/" + name + tail


def random_tree(seed: int) -> Tree:
    """The tree, and 60 questions about it, of a seed."""
    return _Maker(random.Random(seed)).build()
