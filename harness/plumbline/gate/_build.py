# SPDX-License-Identifier: MIT
"""The two libraries that are compared: the base revision's and what is here.

The base is checked out into a git work tree and built by Meson with the
options of the build that is here, and only its library is kept: it is driven
by this checkout's plumb-bench, so both sides run the very same workload. A
library that was built once, for one revision and one set of options, is used
again.

Invariant: no work tree is left behind, and nothing of the checkout changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from plumbline.errors import BuildError, MeasurementError, UsageError
from plumbline.places import Places

__all__ = ["Arms", "build_arms"]

LIBRARY = "ref/libplumb-ref.so"
# Meson's own options that a library could notice.
_USER = "-D user:"  # marks an option of the project
_CORE = {"debug", "optimization", "default_library", "strip"}


@dataclass(frozen=True)
class Arms:
    """Both libraries, and what they were built from."""

    base: Path
    here: Path
    revision: str
    commit: str
    head: str
    dirty: bool


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
    except FileNotFoundError as error:
        raise UsageError("git is missing") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UsageError(f"git {words[0]}: {said[-1] if said else 'failed'}",
                         place=str(root))
    return done.stdout.strip()


def _commit(root: Path, revision: str) -> str:
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options",
                    f"{revision}^{{commit}}")
    except UsageError as error:
        raise UsageError(
            f"no revision is called '{revision}'", place=str(root),
            remedy="give a branch, a tag or a commit; a shallow clone has "
            "few of them (git fetch --unshallow)") from error


def build_options(build: Path) -> list[str]:
    """The options that this build was configured with, as words for `meson
    setup`, where they are not what they would be anyway."""
    done = subprocess.run(["meson", "introspect", "--buildoptions",
                           str(build)], capture_output=True, text=True)
    if done.returncode:
        raise BuildError("this is no Meson build", place=str(build))
    words = []
    for option in json.loads(done.stdout):
        name, value = option["name"], option["value"]
        section = option["section"]
        if option.get("machine") == "build" or not (
            section in ("base", "compiler", "user")
            or section == "core" and name in _CORE
        ):
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, list):
            value = "[" + ",".join(f"'{one}'" for one in value) + "]"
        words.append(f"{_USER if section == 'user' else '-D'}{name}={value}")
    return sorted(words)


def build_arms(
    places: Places, revision: str, note: Callable[[str], None]
) -> Arms:
    """Build the base, if need be. UsageError where there is no such
    revision, MeasurementError where it cannot be built."""
    commit = _commit(places.root, revision)
    here = places.built(LIBRARY)
    options = build_options(places.build)
    key = sha256("\n".join(options).encode()).hexdigest()[:8]
    folder = places.out / "gate" / "base"
    library = folder / f"{commit[:12]}-{key}.so"
    if not library.exists():
        note(f"building {revision} ({commit[:12]})")
        _build(places, commit, options, library)
    return Arms(
        base=library, here=here, revision=revision, commit=commit,
        head=_git(places.root, "rev-parse", "HEAD"),
        dirty=bool(_git(places.root, "status", "--porcelain",
                        "--untracked-files=no")),
    )


def _build(
    places: Places, commit: str, options: Sequence[str], library: Path
) -> None:
    library.parent.mkdir(parents=True, exist_ok=True)
    log = library.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix="plumbline-base-") as folder:
        source, build = Path(folder, "source"), Path(folder, "build")
        _git(places.root, "worktree", "add", "--detach", "--force",
             str(source), commit)
        try:
            with log.open("w") as file:
                # Options that the base does not know yet are left out.
                _step(["meson", "setup", str(build), str(source),
                       *(word.replace(_USER, "-D")
                         for word in _known(options, source))], file.fileno(), log)
                _step(["ninja", "-v", "-C", str(build), LIBRARY], file.fileno(),
                      log)
            part = library.with_suffix(".part")
            shutil.copyfile(build / LIBRARY, part)
            os.replace(part, library)
        finally:
            _git(places.root, "worktree", "remove", "--force", str(source))


def _known(options: Sequence[str], source: Path) -> list[str]:
    """The options without those of the project that the base lacks."""
    files = [source / name for name in ("meson_options.txt", "meson.options")]
    text = "".join(p.read_text() for p in files if p.exists())
    return [word for word in options
            if not word.startswith(_USER)
            or f"'{word[len(_USER):].partition('=')[0]}'" in text]


def _step(words: Sequence[str], out: int, log: Path) -> None:
    environment: Mapping[str, str] = {
        key: value for key, value in os.environ.items()
        if not key.startswith("GIT_")}
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, env=environment)
    except FileNotFoundError as error:
        raise UsageError(f"{words[0]} is missing") from error
    if done.returncode:
        tail = log.read_text(errors="replace").strip().splitlines()[-6:]
        raise MeasurementError(
            "the base cannot be built: " + "\n  ".join(tail),
            place=str(log),
            remedy="give a base that builds, for example the last release")
