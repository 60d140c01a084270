# SPDX-License-Identifier: MIT
"""Makes a mutant's provider library the way the build makes the reference's.

The build's compile_commands.json says how each source is compiled and ninja
how the library is linked. Only what a mutant touches is compiled again: one
file, or, for a header, all of them; every other object is the build's own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import BuildError, MutantError
from plumbline.mutants._read import Mutant

__all__ = ["Workshop"]

_LIBRARY = "ref/libplumb-ref.so"
# Arguments of a link that a mutant's library needs too; libraries that the
# build names by their absolute path come with them.
_LINK = ("-l", "-L", "-pthread", "-fsanitize", "-Wl,--version-script")
_DROP_WITH_VALUE = ("-MQ", "-MF", "-MT", "-o", "-c")


@dataclass(frozen=True)
class _Unit:
    """How the build compiles one source of the reference."""

    source: Path
    object: Path
    words: Sequence[str]


class Workshop:
    """Compiles mutants of the reference in `ref`, built in `build`."""

    def __init__(self, ref: Path, build: Path) -> None:
        self._ref = ref.resolve()
        self._build = build.resolve()
        commands = self._commands()
        self._units = self._read_units(set(map(_output, commands)))
        self._link = [w for w in commands[-1] if w.startswith(_LINK)
                      or (w.startswith("/") and ".so" in Path(w).suffixes)]

    def make(self, mutant: Mutant) -> Path:
        """Compile one mutant; gives its library. Safe in any thread."""
        work = self._build / "mutants" / mutant.id
        shutil.rmtree(work, ignore_errors=True)
        copy = work / "ref"
        shutil.copytree(
            self._ref, copy, ignore=shutil.ignore_patterns("tests", "*.md")
        )
        _edit(mutant, copy / mutant.file)
        header = mutant.file.endswith(".h")
        objects: list[str] = []
        for unit in self._units:
            name = unit.source.relative_to(self._ref)
            if not header and str(name) != mutant.file:
                objects.append(str(unit.object))
                continue
            target = work / (str(name).replace("/", "_") + ".o")
            self._run(mutant, self._compile_words(unit, copy, target))
            objects.append(str(target))
        if not header and all(
            str(u.source.relative_to(self._ref)) != mutant.file
            for u in self._units
        ):
            raise MutantError(
                f"{mutant.file} is no part of the reference's library",
                place=mutant.place,
            )
        library = work / "libplumb-mutant.so"
        self._run(mutant, [
            self._units[0].words[0], "-shared", "-o", str(library), *objects,
            *self._link,
        ])
        return library

    def _commands(self) -> list[list[str]]:
        """What the build would do to make the reference's library, the link
        last."""
        try:
            said = subprocess.run(
                ["ninja", "-C", str(self._build), "-t", "commands",
                 _LIBRARY],
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=60,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"ninja cannot be asked: {error}") from error
        lines = [line for line in said.stdout.splitlines() if line.strip()]
        if said.returncode or not lines:
            raise BuildError(
                f"the build does not know how to link {_LIBRARY}",
                place=str(self._build),
            )
        return [shlex.split(line) for line in lines]

    def _read_units(self, needed: set[str]) -> list[_Unit]:
        """The sources whose objects make up the library."""
        path = self._build / "compile_commands.json"
        try:
            entries = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise BuildError(
                "this file of the build is missing or broken",
                place=str(path),
                remedy="start through ./plumbline, which builds",
            ) from error
        units: list[_Unit] = []
        for entry in entries:
            folder = Path(entry["directory"])
            source = (folder / entry["file"]).resolve()
            if entry["output"] not in needed:
                continue
            if source.is_relative_to(self._ref):
                words = shlex.split(entry["command"])
                skip = Path(words[0]).name == "ccache"
                units.append(_Unit(source, folder / entry["output"],
                                   words[skip:]))
        if not units:
            raise BuildError("the build compiles nothing of the reference",
                             place=str(path))
        return units

    def _compile_words(
        self, unit: _Unit, copy: Path, target: Path
    ) -> list[str]:
        """The build's command, for the copy and without dependencies."""
        words: list[str] = []
        skip = False
        for word in unit.words:
            if skip:
                skip = False
            elif word in _DROP_WITH_VALUE:
                skip = True
            elif word not in ("-MD", "-MMD", "-Werror"):
                words.append(self._moved(word, copy))
        source = copy / unit.source.relative_to(self._ref)
        return [*words, "-w", "-o", str(target), "-c", str(source)]

    def _moved(self, word: str, copy: Path) -> str:
        """An -I of the reference becomes one of the copy."""
        if not word.startswith("-I"):
            return word
        folder = Path(os.path.normpath(self._build / word[2:]))
        if folder == self._ref or self._ref in folder.parents:
            return f"-I{copy / folder.relative_to(self._ref)}"
        return f"-I{folder}"

    def _run(self, mutant: Mutant, words: Sequence[str]) -> None:
        done = subprocess.run(
            words, cwd=self._build, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )
        if done.returncode:
            raise MutantError(
                f"the mutant {mutant.id} does not compile:\n"
                + done.stdout.strip(),
                place=mutant.place,
                remedy="a mutant must be valid C",
            )


def _links(word: str) -> bool:
    """Does a mutant's library need this too, when it is linked?"""
    path = Path(word)
    shared = ".so" in path.suffixes and path.is_absolute()
    return shared or word.startswith(_LINK)


def _output(words: Sequence[str]) -> str:
    """What a command makes."""
    return words[words.index("-o") + 1] if "-o" in words[:-1] else ""


def _edit(mutant: Mutant, path: Path) -> None:
    """Apply the edit to the copy."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MutantError(
            f"there is no ref/{mutant.file}", place=mutant.place
        ) from error
    count = text.count(mutant.find)
    if count != 1:
        raise MutantError(
            f"the text to find occurs {count} times in ref/{mutant.file}, "
            "not once",
            place=mutant.place,
            remedy="the reference has changed, or the text is too short: "
            "write it so that it fits one place",
        )
    path.write_text(text.replace(mutant.find, mutant.replace),
                    encoding="utf-8")
