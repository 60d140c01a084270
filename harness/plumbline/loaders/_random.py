# SPDX-License-Identifier: MIT
"""Random programs of modules: graphs with cycles, bodies that throw, caches
that are changed.

Every program ends: bodies delete entries of the cache only where the graph has
no cycles, and main catches every error.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Program", "random_program"]

Operation = dict[str, Any]
_CALL = "plumb({}, exports, require, module, __filename, __dirname);\n"
_JSON = ("1", '{"b": 1, "a": [null]}', '"text"', "{,}", "", "\ufeff[2]")


@dataclass(frozen=True)
class Program:
    """What is run: main, the modules' bodies, and the files around them."""

    seed: int
    main: Sequence[Operation]
    bodies: Sequence[Sequence[Operation]]
    files: dict[str, str]
    links: dict[str, str]

    def without(self, body: int | None, at: int) -> Program:
        """The same without one operation: of a body, or (None) of main."""
        if body is None:
            return replace(self, main=_cut(self.main, at))
        bodies = list(self.bodies)
        bodies[body] = _cut(bodies[body], at)
        return replace(self, bodies=bodies)

    @property
    def all_links(self) -> list[Operation]:
        return [{"tree.link": {"path": path, "to": to}}
                for path, to in self.links.items()]

    def message(self) -> dict[str, Any]:
        """As the protocol has it."""
        return {"main": [*self.all_links, *self.main],
                "bodies": [list(body) for body in self.bodies]}


def _cut(operations: Sequence[Operation], at: int) -> list[Operation]:
    return [*operations[:at], *operations[at + 1:]]


class _Writer:
    """One program, of one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.count = self.chance.randint(2, 7)
        self.cyclic = self.chance.random() < 0.6
        self.labels = 0
        self.paths = [self._path(n) for n in range(self.count)]

    def _path(self, number: int) -> str:
        folder = self.chance.choice(["", "", "d/", "node_modules/"])
        return f"{folder}m{number}.js"

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def specifier(self, target: int, asker: int | None) -> str:
        """One of the ways to name a module from where another one lies."""
        path = self.paths[target]
        if path.startswith("node_modules/") and self.chance.random() < 0.7:
            return path.removeprefix("node_modules/").removesuffix(".js")
        deep = asker is not None and "/" in self.paths[asker]
        name = f"../{path}" if deep else f"./{path}"
        kind = self.chance.random()
        if kind < 0.1:
            return f"$dir/{path}"
        return name.removesuffix(".js") if kind < 0.6 else name

    def target(self, asker: int | None) -> int | None:
        """Whom a module requires; without cycles only later ones."""
        first = 0 if asker is None or self.cyclic else asker + 1
        return None if first >= self.count else self.chance.randrange(
            first, self.count)

    def require(self, asker: int | None) -> list[Operation]:
        target = self.target(asker)
        if target is None:
            return []
        given: Operation = {"specifier": self.specifier(target, asker)}
        if self.chance.random() < 0.08:
            given["specifier"] = self.chance.choice(
                ["./none", "none", "./data.json", "../none.js", "./data",
                 "node:none"])
        caught = asker is None or self.chance.random() < 0.8
        if caught:
            given["log"] = self.label()
        name = "require"
        if asker is not None and self.chance.random() < 0.1:
            name = "module.load"
            if given["specifier"].startswith("$"):
                given["specifier"] = "./none"
        if self.chance.random() < 0.1 and name == "require":
            return [{"resolve": {**given, "log": self.label()}}]
        found: list[Operation] = [{name: given}]
        if caught and self.chance.random() < 0.15:
            given["id"] = f"i{self.labels}"
            found.append({"error": {"of": given["id"], "show": "require-stack",
                                    "log": self.label()}})
        return found

    def cache(self, inside: bool) -> list[Operation]:
        path = self.paths[self.chance.randrange(self.count)]
        kind = self.chance.randrange(6)
        if kind == 0:
            return [{"cache.files": {"log": self.label()}}]
        if kind == 1 or (inside and self.cyclic):
            return [{"cache.state": {"path": path, "log": self.label()}}]
        if kind == 2:
            return [{"cache.put": {"path": path, "value": self.labels}}]
        if kind == 3 and not inside:
            return [{"cache.clear": {}}]
        return [{"cache.delete": path}]

    def export(self) -> list[Operation]:
        kind = self.chance.randrange(5)
        if kind == 0:
            return [{"exports.replace": {"value": {"r": self.labels}}}]
        if kind == 1:
            return [{"exports.rebind": {"value": {"lost": 1}}}]
        name = self.chance.choice("abc")
        return [{"exports.set": {"name": name, "value": self.labels}}]

    def fact(self) -> list[Operation]:
        show = self.chance.choice(
            ["loaded", "parent", "children", "children", "id", "folders"])
        return [{"module": {"show": show, "log": self.label()}}]

    def change(self) -> list[Operation]:
        """A file becomes another module, or appears. None goes: that a file
        was there is kept until the loader is told."""
        path = self.paths[self.chance.randrange(self.count)]
        kind = self.chance.random()
        if kind < 0.2:
            return [{"tree.write": {"path": "data.json",
                                    "text": self.chance.choice(_JSON)}}]
        if kind < 0.35:
            return [{"tree.write": {
                "path": self.chance.choice(["data.js", "none.js",
                                            "node_modules/none.js",
                                            "node_modules/m0/index.js"]),
                "text": _CALL.format(0)}}]
        number = self.chance.randrange(self.count)
        return [{"tree.write": {"path": path, "text": _CALL.format(number)}}]

    def body(self, number: int) -> list[Operation]:
        found: list[Operation] = [{"log": f"m{number}"}]
        for _ in range(self.chance.randint(0, 5)):
            kind = self.chance.random()
            if kind < 0.5:
                found += self.require(number)
            elif kind < 0.7:
                found += self.export()
            elif kind < 0.82:
                found += self.fact()
            elif kind < 0.94:
                found += self.cache(inside=True)
            else:
                found.append({"module.throw": {"message": f"boom{number}"}})
        return found

    def main(self) -> list[Operation]:
        found: list[Operation] = []
        for _ in range(self.chance.randint(2, 8)):
            kind = self.chance.random()
            if kind < 0.6:
                found += self.require(None)
            elif kind < 0.9 or self.cyclic is False:
                found += self.cache(inside=False)
            else:
                found += self.change()
        return [*found, {"cache.files": {"log": "end"}}]

    def program(self) -> Program:
        bodies = [self.body(number) for number in range(self.count)]
        files = {path: _CALL.format(number)
                 for number, path in enumerate(self.paths)}
        files["data.json"] = self.chance.choice(_JSON)
        files["d/x"] = ""
        links: dict[str, str] = {}
        if self.chance.random() < 0.3:
            number = self.chance.randrange(self.count)
            links["link.js"] = self.paths[number]
            self.paths[number] = "link.js"
        return Program(self.seed, self.main(), bodies, files, links)


def random_program(seed: int) -> Program:
    """The program of a seed: the same for the same seed."""
    return _Writer(seed).program()
