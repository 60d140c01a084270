# SPDX-License-Identifier: MIT
"""Where things are: the checkout, its build folder and what a build made.

The launcher hands over the build folder in PLUMBLINE_BUILD; without it, the
folder `build` of the checkout is meant. Nothing here creates a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import BuildError

__all__ = ["Places", "find_places"]


@dataclass(frozen=True)
class Places:
    """The folders of one checkout."""

    root: Path
    build: Path

    @property
    def out(self) -> Path:
        """Results and report go here; PLUMBLINE_OUT names another folder."""
        chosen = os.environ.get("PLUMBLINE_OUT")
        return Path(chosen).absolute() if chosen else self.root / "out"

    @property
    def results(self) -> Path:
        return self.out / "results"

    @property
    def runtimes(self) -> Path:
        return self.root / ".runtimes"

    @property
    def implementations(self) -> Path:
        return self.root / "conformance" / "implementations.yaml"

    @property
    def expectation_folder(self) -> Path:
        return self.root / "conformance" / "expectations"

    @property
    def mutants(self) -> Path:
        return self.root / "conformance" / "mutants"

    @property
    def vocabulary(self) -> Path:
        return self.root / "conformance" / "schema" / "vocabulary"

    @property
    def corpus(self) -> Path:
        return self.built("corpus/corpus.jsonl")

    @property
    def rules(self) -> Path:
        return self.built("corpus/rules.json")

    @property
    def expectations(self) -> Path:
        return self.built("corpus/expectations.json")

    @property
    def conform(self) -> Path:
        return self.built("conformance/runner/conform")

    @property
    def host(self) -> Path:
        return self.built("conformance/host/plumb-host")

    @property
    def bench(self) -> Path:
        return self.built("bench/plumb-bench")

    def built(self, name: str) -> Path:
        """A file that the build makes; BuildError where it is not there."""
        path = self.build / name
        if not path.exists():
            raise BuildError(
                "this file of the build is missing",
                place=str(path),
                remedy="start through ./plumbline, which builds what is "
                "missing; if it did, delete the build folder and run again",
            )
        return path

    def short(self, path: Path) -> str:
        """A path as a person wants to read it: relative where that is
        shorter."""
        absolute = path.absolute()
        for base in (Path.cwd(), self.root):
            if absolute.is_relative_to(base):
                return str(absolute.relative_to(base))
        return str(path)


def find_places() -> Places:
    """The checkout that this package belongs to."""
    root = Path(__file__).resolve().parents[2]
    build = Path(os.environ.get("PLUMBLINE_BUILD") or root / "build")
    return Places(root=root, build=build.absolute())
