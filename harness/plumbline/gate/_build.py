# SPDX-License-Identifier: MIT
"""The two libraries that are compared: the base revision's and what is here.

The base is checked out into a git work tree and built by Meson with the
options of the build that is here, and only its library is kept: it is driven
by this checkout's plumb-bench, so both sides run the very same workload. What
was built once, for one revision and one set of options, is used again.

Where a function lies in memory moves a time by some per cent, and every
change of the source moves all of them. So each side is linked in several
layouts (by lld, which shuffles sections), and every process draws one: what
layout does is in the noise, not in the difference.

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
from typing import IO

from plumbline.errors import BuildError, MeasurementError, UsageError
from plumbline.places import Places

__all__ = ["Arms", "build_arms", "build_here"]

LIBRARY = "ref/libplumb-ref.so"
LAYOUTS = 4
_SHUFFLE = "-Wl,--shuffle-sections=.text*="
# Meson's own options that a library could notice.
_USER = "-D user:"  # marks an option of the project
_CORE = {"debug", "optimization", "default_library", "strip"}


@dataclass(frozen=True)
class Arms:
    """Both sides' layouts, and what they were built from."""

    base: Sequence[Path]
    here: Sequence[Path]
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


def layouts() -> int:
    """How many layouts can be made here."""
    return LAYOUTS if shutil.which("ld.lld") else 1


def build_options(build: Path) -> list[str]:
    """The options that this build was configured with, as words for `meson
    setup`, with what layouts need."""
    done = subprocess.run(["meson", "introspect", "--buildoptions",
                           str(build)], capture_output=True, text=True)
    if done.returncode:
        raise BuildError("this is no Meson build", place=str(build))
    more = {} if layouts() == 1 else {
        "c_args": ["-ffunction-sections"],
        "c_link_args": ["-fuse-ld=lld", f"{_SHUFFLE}1"],
    }
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
            every = [*value, *more.get(name, [])]
            value = "[" + ",".join(f"'{one}'" for one in every) + "]"
        words.append(f"{_USER if section == 'user' else '-D'}{name}={value}")
    return sorted(words)


def build_arms(
    places: Places, revision: str, note: Callable[[str], None],
    needed: bool = True,
) -> Arms:
    """Build both sides, where need be, or, if they are not `needed`, only name
    them: then the library of the build stands for both. UsageError where there
    is no such revision, MeasurementError where it cannot be built."""
    commit = _commit(places.root, revision)
    base = here = [places.built(LIBRARY)]
    if needed:
        base = _base(places, revision, commit, note)
        note("building what is here")
        here = build_here(places)
    return Arms(
        base=base, here=here, revision=revision, commit=commit,
        head=_git(places.root, "rev-parse", "HEAD"),
        dirty=bool(_git(places.root, "status", "--porcelain",
                        "--untracked-files=no")),
    )


def _base(
    places: Places, revision: str, commit: str, note: Callable[[str], None]
) -> list[Path]:
    """The base's layouts, built if they are not there yet."""
    options = build_options(places.build)
    folder = places.out / "gate" / f"base-{commit[:12]}-{_key(options)}"
    if not folder.is_dir():
        note(f"building {revision} ({commit[:12]})")
        _build_base(places, commit, options, folder)
    return _layouts_of(folder)


def _layouts_of(folder: Path, more: int = 0) -> list[Path]:
    return [folder / f"layout-{seed}.so"
            for seed in range(1, layouts() + more + 1)]


def _build_base(
    places: Places, commit: str, options: Sequence[str], folder: Path
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    with tempfile.TemporaryDirectory(
        prefix=".base-", dir=folder.parent
    ) as work:
        source, build = Path(work, "source"), Path(work, "build")
        kept = Path(work, "kept")
        _git(places.root, "worktree", "add", "--detach", "--force",
             str(source), commit)
        try:
            _build("the base", source, build, options, kept, log)
            os.replace(kept, folder)
        finally:
            _git(places.root, "worktree", "remove", "--force", str(source))


def build_here(places: Places, more: int = 0) -> list[Path]:
    """Build what is here, in every layout, and in so many more."""
    options = build_options(places.build)
    folder = places.out / "gate" / f"here-{_key(options)}"
    folder.mkdir(parents=True, exist_ok=True)
    _build("what is here", places.root, folder / "build", options, folder,
           folder.with_suffix(".log"), more)
    return _layouts_of(folder, more)


def _key(options: Sequence[str]) -> str:
    return sha256("\n".join(options).encode()).hexdigest()[:8]


def _build(
    what: str, source: Path, build: Path, options: Sequence[str],
    folder: Path, log: Path, more: int = 0,
) -> None:
    """Build the library in every layout into `folder`."""
    folder.mkdir(exist_ok=True)
    with log.open("w") as file:
        def step(*words: str) -> None:
            _step(what, words, file, log)

        if not (build / "build.ninja").exists():
            # Options that a base does not know yet are left out.
            step("meson", "setup", str(build), str(source),
                 *(word.replace(_USER, "-D")
                   for word in _known(options, source)))
        step("ninja", "-v", "-C", str(build), LIBRARY)
        shutil.copyfile(build / LIBRARY, folder / "layout-1.so")
        for seed in range(2, layouts() + more + 1):
            link = _link_command(build, seed, folder / f"layout-{seed}.so")
            step("sh", "-c", f"cd '{build}' && {link}")


def _link_command(build: Path, seed: int, target: Path) -> str:
    """The command that links the library, in another layout."""
    done = subprocess.run(["ninja", "-C", str(build), "-t", "commands",
                           LIBRARY], capture_output=True, text=True)
    lines = [x for x in done.stdout.splitlines() if f"-o {LIBRARY}" in x]
    if not lines or _SHUFFLE not in lines[-1]:
        raise BuildError("the command that links the library is not found",
                         place=str(build))
    return lines[-1].replace(f"-o {LIBRARY}", f"-o '{target.absolute()}'"
                             ).replace(f"{_SHUFFLE}1", f"{_SHUFFLE}{seed}")


def _known(options: Sequence[str], source: Path) -> list[str]:
    """The options without those of the project that the base lacks."""
    files = [source / name for name in ("meson_options.txt", "meson.options")]
    text = "".join(p.read_text() for p in files if p.exists())
    return [word for word in options
            if not word.startswith(_USER)
            or f"'{word[len(_USER):].partition('=')[0]}'" in text]


def _step(
    what: str, words: Sequence[str], out: IO[str], log: Path
) -> None:
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
            f"{what} cannot be built: " + "\n  ".join(tail),
            place=str(log),
            remedy="give a base that builds, for example the last release"
            if what == "the base" else None)
