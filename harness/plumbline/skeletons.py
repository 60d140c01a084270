# SPDX-License-Identifier: MIT
"""Copies a skeleton of conformance/adapters/skeletons under a name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import UsageError
from plumbline.places import Places

__all__ = ["SKELETONS", "Skeleton", "write_skeleton"]


@dataclass(frozen=True)
class Skeleton:
    """What its author types: to build it (nothing where it is a script), and
    the adapter's command, in the folder that was made."""

    build: str
    command: str


SKELETONS: Mapping[str, Skeleton] = {
    "python": Skeleton("", "python3 {}/adapter.py"),
    "javascript": Skeleton("", "node {}/adapter.cjs"),
    "c": Skeleton("make -C {}", "{}/adapter"),
    "rust": Skeleton("cargo build --manifest-path {}/Cargo.toml",
                     "{}/target/debug/adapter"),
    "go": Skeleton("(cd {} && go build -o adapter .)", "{}/adapter"),
}


def _sources(folder: Path) -> Sequence[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def write_skeleton(
    places: Places, language: str, name: str, folder: Path
) -> list[Path]:
    """Write the skeleton into `folder`, which must not be there; gives the
    files. UsageError where name or folder will not do."""
    if not name or not all(c.isalnum() or c in "._+-" for c in name):
        raise UsageError(
            f"the name '{name}' cannot be an implementation's",
            remedy="use letters, digits, '.', '_', '+' and '-'")
    if folder.exists():
        raise UsageError("this is there already", place=str(folder),
                         remedy="name another folder with --out FOLDER")
    origin = places.root / "conformance/adapters/skeletons" / language
    made: list[Path] = []
    try:
        for source in _sources(origin):
            target = folder / source.relative_to(origin)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(text.replace("@NAME@", name), encoding="utf-8")
            shutil.copymode(source, target)
            made.append(target)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}",
                         place=str(error.filename or folder),
                         remedy="name another folder with --out FOLDER"
                         ) from error
    return made
