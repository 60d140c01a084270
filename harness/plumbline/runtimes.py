# SPDX-License-Identifier: MIT
"""Pinned runtimes: exact versions of Node, Bun and Deno, from npm; and of
libraries that are implementations, such as resolvers.

One lives in .runtimes/<name>-<version>/: the package as npm unpacked it, and
beside it a link of the runtime's name to the executable. The folder appears
whole or not at all; nothing of npm's is installed anywhere else.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import RegistryError, RuntimesError
from plumbline.places import Places
from plumbline.registry import (
    Entry,
    Npm,
    Registry,
    matches_version,
    split_spec,
    version_key,
)

__all__ = ["Wanted", "add", "find_npm", "package_of", "remove", "resolve",
           "run_npm"]

_TIME_LIMIT = 600.0
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Wanted:
    """One version of one runtime, and what it is installed from."""

    name: str
    version: str
    package: str
    executable: str
    library: bool = False


def find_npm() -> str:
    """npm's path; RuntimesError says where to get it."""
    path = shutil.which("npm")
    if path is None:
        raise RuntimesError(
            "npm is missing",
            remedy="it is in the Debian package 'npm':  "
            "sudo apt-get install --no-install-recommends npm",
        )
    return path


def package_of(entry: Entry, machine: str | None = None) -> tuple[str, Npm]:
    """The npm package of a runtime for this machine."""
    if entry.npm is None:
        raise RuntimesError(
            f"{entry.name} is not installed from npm",
            remedy="what is: node, bun, deno, enhanced-resolve and "
            "oxc-resolver",
        )
    machine = machine or platform.machine()
    machine = _MACHINES.get(machine, machine)
    if machine not in entry.npm.packages:
        known = ", ".join(sorted(entry.npm.packages))
        raise RuntimesError(
            f"npm has no {entry.name} for {machine}",
            remedy=f"machines it has: {known}",
        )
    return entry.npm.packages[machine], entry.npm


def run_npm(words: list[str], folder: Path | None = None) -> str:
    """Run npm; gives its stdout. Its stderr becomes the error."""
    command = [find_npm(), *words]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimesError(
            f"npm did not end within {_TIME_LIMIT:.0f} s",
            place=" ".join(words),
            remedy="look at the network, then try again",
        ) from error
    except OSError as error:
        raise RuntimesError(
            f"npm cannot be started: {error.strerror}", place=command[0]
        ) from error
    if done.returncode:
        raise RuntimesError(
            f"npm failed: {_complaint(done.stderr or done.stdout)}",
            place=" ".join(["npm", *words[:2]]),
            remedy="look at the network and the version's number",
        )
    return done.stdout


def _complaint(said: str) -> str:
    """The telling lines of npm's complaint."""
    lines = [
        re.sub(r"^npm (error|ERR!)\s*", "", line).strip()
        for line in said.splitlines()
        if re.match(r"npm (error|ERR!)", line)
    ]
    telling = [line for line in lines if line and "log of this run" not in
               line]
    return "; ".join(telling[:2]) or said.strip()[:200] or "no reason given"


def resolve(registry: Registry, spec: str) -> Wanted:
    """The exact version that a spec means: the newest release of `node@22`,
    `node@12.8.1` itself, the latest of `bun`."""
    name, wanted = split_spec(spec)
    package, npm = package_of(registry.entry(name))
    listed = run_npm(["view", "--json", package, "versions"])
    try:
        versions = json.loads(listed or "[]")
    except ValueError as error:
        raise RuntimesError(
            f"npm's list of versions is not JSON: {error}", place=package
        ) from error
    if isinstance(versions, str):
        versions = [versions]
    fitting = [
        v for v in versions
        if v == wanted or (
            "-" not in v and (not wanted or matches_version(v, wanted))
        )
    ]
    if not fitting:
        raise RuntimesError(
            f"npm has no {spec}",
            place=package,
            remedy=f"the newest is {max(versions, key=version_key)}"
            if versions else "look at the network",
        )
    version = max(fitting, key=version_key)
    return Wanted(name, version, package, npm.executable, npm.library)


def add(places: Places, wanted: Wanted) -> tuple[Path, bool]:
    """Install one version; gives its executable and whether it is new."""
    final = places.runtimes / f"{wanted.name}-{wanted.version}"
    link = final / wanted.name
    if os.access(link, os.R_OK if wanted.library else os.X_OK):
        return link, False
    try:
        places.runtimes.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(".part", ".", places.runtimes))
    except OSError as error:
        raise RuntimesError(
            f"cannot be written to: {error.strerror}",
            place=str(places.runtimes),
        ) from error
    try:
        run_npm([
            "install", f"{wanted.package}@{wanted.version}",
            "--prefix", str(work), "--no-save", "--no-audit", "--no-fund",
            "--ignore-scripts", "--no-package-lock", "--loglevel=error",
        ], work)
        executable = Path("node_modules", wanted.package, wanted.executable)
        if not (work / executable).is_file():
            raise RuntimesError(
                f"the package has no {wanted.executable}",
                place=f"{wanted.package}@{wanted.version}",
            )
        (work / wanted.name).symlink_to(executable)
        if not wanted.library:
            (work / executable).chmod(0o755)
            _works(work / wanted.name, wanted)
        shutil.rmtree(final, ignore_errors=True)
        work.chmod(0o755)
        work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return link, True


def _works(path: Path, wanted: Wanted) -> None:
    """An executable that does not even say its version is refused here, not
    in the middle of a run."""
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=60,
        )
        said = done.stdout + done.stderr
        good = done.returncode == 0 and wanted.version in said
    except (OSError, subprocess.TimeoutExpired) as error:
        said, good = str(error), False
    if not good:
        first = (said.strip().splitlines() or ["nothing"])[0]
        raise RuntimesError(
            f"{wanted.name} {wanted.version} does not run here: it said "
            f"{first!r}",
            place=wanted.package,
        )


def remove(registry: Registry, spec: str) -> Path:
    """Remove the one pinned version that a spec means."""
    name, wanted = split_spec(spec)
    registry.entry(name)
    fitting = [
        version for version, _ in registry.pinned(name)
        if not wanted or matches_version(version, wanted)
    ]
    if len(fitting) != 1:
        have = ", ".join(f"{name}@{v}" for v, _ in registry.pinned(name))
        raise RegistryError(
            f"{spec} is several pinned versions" if fitting
            else f"no pinned version is {spec}",
            remedy=f"pinned: {have or 'none'}",
        )
    folder = registry.places.runtimes / f"{name}-{fitting[0]}"
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise RuntimesError(
            f"cannot be removed: {error.strerror}", place=str(folder)
        ) from error
    return folder
