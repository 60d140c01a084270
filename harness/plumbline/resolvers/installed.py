# SPDX-License-Identifier: MIT
"""A real dependency tree, of packages that npm installs once.

It lives in .runtimes/packages-<hash>/, the hash being that of the list: other
packages are another tree. The folder appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from plumbline.errors import RuntimesError
from plumbline.places import Places
from plumbline.runtimes import run_npm

__all__ = ["folder_of", "install", "packages"]

LIST = Path(__file__).with_name("packages.txt")


def packages(path: Path = LIST) -> list[str]:
    """The packages that are asked for, with their versions."""
    lines = (line.partition("#")[0].strip()
             for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def folder_of(places: Places, wanted: list[str]) -> Path:
    """Where a list of packages is installed."""
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    return places.runtimes / f"packages-{digest[:12]}"


def install(places: Places) -> Path:
    """The tree; installs it where it is not there. Raises RuntimesError."""
    wanted = packages()
    final = folder_of(places, wanted)
    if final.is_dir():
        return final
    try:
        places.runtimes.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(".part", ".", places.runtimes))
    except OSError as error:
        raise RuntimesError(f"cannot be written to: {error.strerror}",
                            place=str(places.runtimes)) from error
    try:
        (work / "package.json").write_text('{"private": true}\n')
        run_npm([
            "install", *wanted, "--no-audit", "--no-fund",
            "--ignore-scripts", "--legacy-peer-deps", "--no-package-lock",
            "--loglevel=error",
        ], work)
        work.chmod(0o755)
        work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final
