# SPDX-License-Identifier: MIT
"""Reads conformance/mutants/<area>.yaml; every complaint names file:line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import]

from plumbline.catalog import Catalog
from plumbline.errors import MutantError

__all__ = ["Mutant", "areas", "check_cases", "read_mutants"]

_KEYS = ("id", "file", "find", "replace", "why", "killed-by")
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Mutant:
    """One wrong reference. `place` is where it is written."""

    id: str
    area: str
    file: str
    find: str
    replace: str
    why: str
    killed_by: Sequence[str]
    place: str


def areas(folder: Path) -> list[str]:
    """The areas that have mutants."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_mutants(folder: Path, area: str, shown: str = "") -> list[Mutant]:
    """The mutants of one area; `shown` is how to name the folder."""
    path = folder / f"{area}.yaml"
    name = f"{shown or folder}/{area}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MutantError(
            f"the area '{area}' has no mutants",
            place=name,
            remedy=f"areas with mutants: {', '.join(areas(folder)) or 'none'}",
        ) from error
    try:
        node = yaml.compose(text)
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise MutantError(
            f"this is not YAML: {' '.join(str(error).split())}", place=name
        ) from error
    if not isinstance(value, list) or not value:
        raise MutantError("a list of mutants is needed", place=name)
    mutants: list[Mutant] = []
    for item, raw in zip(node.value, value, strict=True):
        mutant = _mutant(raw, area, f"{name}:{item.start_mark.line + 1}")
        if any(mutant.id == other.id for other in mutants):
            raise MutantError(f"the id '{mutant.id}' is here twice",
                              place=mutant.place)
        mutants.append(mutant)
    return mutants


def _mutant(raw: Any, area: str, place: str) -> Mutant:
    if not isinstance(raw, dict):
        raise MutantError("a mutant is a mapping", place=place,
                          remedy=f"with the keys {', '.join(_KEYS)}")
    missing = [key for key in _KEYS if key not in raw]
    unknown = [key for key in raw if key not in _KEYS]
    if missing or unknown:
        what = (f"'{missing[0]}' is missing" if missing
                else f"unknown key '{unknown[0]}'")
        raise MutantError(what, place=place,
                          remedy=f"a mutant has {', '.join(_KEYS)}")
    killers = raw["killed-by"]
    if isinstance(killers, str):
        killers = [killers]
    texts = [raw[key] for key in _KEYS[:-1]]
    if not all(isinstance(text, str) for text in [*texts, *killers]):
        raise MutantError("every value is text, and killed-by a list of case "
                          "ids", place=place)
    if not killers:
        raise MutantError("killed-by names no case", place=place,
                          remedy="name the case that catches it")
    if not _ID.fullmatch(raw["id"]):
        raise MutantError(f"'{raw['id']}' is no id", place=place,
                          remedy="use small letters, digits and '-'")
    if raw["find"] == raw["replace"]:
        raise MutantError("find and replace are the same", place=place)
    return Mutant(raw["id"], area, raw["file"], raw["find"], raw["replace"],
                  " ".join(raw["why"].split()), tuple(killers), place)


def check_cases(mutants: Sequence[Mutant], catalog: Catalog) -> None:
    """Refuse a mutant that names a case which does not exist."""
    from difflib import get_close_matches

    for mutant in mutants:
        for case in mutant.killed_by:
            if case not in catalog.cases:
                near = get_close_matches(case, catalog.cases, n=1)
                raise MutantError(
                    f"killed-by names no case: '{case}'",
                    place=mutant.place,
                    remedy=f"did you mean {near[0]}?" if near
                    else "see:  plumbline list cases",
                )
