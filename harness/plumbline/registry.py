# SPDX-License-Identifier: MIT
"""Which implementations there are, and how each is started.

implementations.yaml says what is known by name; a spec (`node`, `node@12`,
`ref`) picks one. What an implementation *is* (name and version) is kept apart
from how it was reached (PATH, .runtimes/, a provider library): the same
version found twice is one implementation.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import]

from plumbline.errors import RegistryError
from plumbline.places import Places

__all__ = [
    "Entry",
    "Npm",
    "Registry",
    "Target",
    "matches_version",
    "named_targets",
    "own_adapter",
    "own_provider",
    "read_registry",
    "resolve_all",
    "split_spec",
    "version_key",
]

_VERSION = re.compile(r"(\d+(?:\.\d+)*(?:-[0-9A-Za-z.]+)?)")
_KEYS = {
    "title", "provider", "package", "adapter", "executables", "runtime",
    "version", "env", "npm",
}


@dataclass(frozen=True)
class Npm:
    """Where a pinned version comes from. A library is a file that Node
    loads, not an executable."""

    packages: Mapping[str, str]
    executable: str
    library: bool = False


@dataclass(frozen=True)
class Entry:
    """One implementation of implementations.yaml."""

    name: str
    title: str
    provider: str | None = None
    # The Debian package without which the provider is not built.
    package: str | None = None
    adapter: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    # The entry whose pinned versions this implementation lives in.
    runtime: str | None = None
    version: tuple[str, ...] = ("--version",)
    env: Mapping[str, str] = field(default_factory=dict)
    npm: Npm | None = None


@dataclass(frozen=True)
class Target:
    """One implementation, ready to be judged.

    Either `provider` (a shared library) or `command` (an adapter) is set.
    `label` is given by the user (--name); otherwise the judge learns it from
    the implementation itself.
    """

    name: str
    spec: str
    version: str = ""
    provider: Path | None = None
    command: tuple[str, ...] = ()
    executable: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def title(self) -> str:
        """What to call it before it has spoken."""
        return self.label or (
            f"{self.name}-{self.version}" if self.version else self.name
        )


def version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """A key that sorts versions; a pre-release comes before its release."""
    main, _, rest = version.partition("-")
    numbers = tuple(int(part) for part in main.split(".") if part.isdigit())
    return numbers, not rest, rest


def matches_version(version: str, wanted: str) -> bool:
    """Whether a version begins with the wanted one, by dotted components."""
    have, want = version.split("."), wanted.lstrip("v").split(".")
    return have[: len(want)] == want


def split_spec(spec: str) -> tuple[str, str]:
    """`node@12` is ("node", "12"); `node` is ("node", "")."""
    name, at, version = spec.partition("@")
    if not name or (at and not _VERSION.fullmatch(version.lstrip("v"))):
        raise RegistryError(
            f"'{spec}' is no implementation",
            remedy="write a name, or name@version with digits, such as "
            "node@12.8.1",
        )
    return name, version.lstrip("v")


@dataclass(frozen=True)
class Registry:
    """The known implementations of one checkout."""

    places: Places
    entries: Mapping[str, Entry]

    def entry(self, name: str) -> Entry:
        if name not in self.entries:
            known = ", ".join(self.entries)
            raise RegistryError(
                f"no implementation is called '{name}'",
                remedy=f"known: {known}; for your own, give --adapter 'CMD' "
                "or --provider LIB.so with --name",
            )
        return self.entries[name]

    def resolve(self, spec: str) -> Target:
        """The one implementation that a spec means."""
        name, wanted = split_spec(spec)
        entry = self.entry(name)
        if entry.provider is not None:
            if wanted:
                raise RegistryError(
                    f"{name} is built here and has one version only",
                    remedy=f"write '{name}'",
                )
            if not self.is_built(entry):
                raise RegistryError(
                    f"{name} was not built: {entry.package} was missing",
                    remedy=f"install the Debian package '{entry.package}', "
                    "delete the build folder and run again",
                )
            return self._provided(entry, spec)
        found = self.found(entry)
        fitting = [t for t in found if matches_version(t.version, wanted)
                   ] if wanted else found
        if not fitting:
            have = ", ".join(target.title for target in found)
            also = f" (found: {have})" if have else ""
            raise RegistryError(
                f"{spec} is not here: neither in PATH nor in .runtimes{also}",
                remedy="install it with:  plumbline runtimes add "
                f"{entry.runtime or spec}",
            )
        if not wanted:
            return fitting[0]
        return max(fitting, key=lambda target: version_key(target.version))

    def everything(self) -> list[Target]:
        """What `run` takes by default: what is built here and every runtime
        that is found."""
        targets: list[Target] = []
        for entry in self.entries.values():
            if entry.provider is not None:
                if self.is_built(entry):
                    targets.append(self._provided(entry, entry.name))
            else:
                targets.extend(self.found(entry))
        return targets

    def is_built(self, entry: Entry) -> bool:
        """False where a provider could not be built for want of a package;
        one that needs none is always taken to be there."""
        return entry.package is None or entry.provider is None or (
            self.places.build / entry.provider
        ).exists()

    def found(self, entry: Entry) -> list[Target]:
        """Every version that is here: the one in PATH first, then the pinned
        ones from the newest to the oldest."""
        targets: list[Target] = []
        for name in entry.executables:
            where = shutil.which(name)
            version = _version_of(entry, Path(where)) if where else None
            if where and version:
                targets.append(
                    self._started(entry, entry.name, version, Path(where))
                )
                break
        for version, path in self._pinned_of(entry):
            if all(version != target.version for target in targets):
                spec = f"{entry.name}@{version}"
                targets.append(self._started(entry, spec, version, path))
        return targets

    def _pinned_of(self, entry: Entry) -> list[tuple[str, Path]]:
        """The same for what lives in another runtime: its versions are its
        own, and only the executable knows them."""
        if entry.runtime is None:
            return self.pinned(entry.name)
        pairs: list[tuple[str, Path]] = []
        for _, path in self.pinned(entry.runtime):
            version = _version_of(entry, path)
            if version is not None:
                pairs.append((version, path))
        return pairs

    def pinned(self, name: str) -> list[tuple[str, Path]]:
        """The versions in .runtimes/, newest first, with their executables."""
        npm = self.entry(name).npm
        mode = os.R_OK if npm is not None and npm.library else os.X_OK
        pairs: list[tuple[str, Path]] = []
        for folder in self.places.runtimes.glob(f"{name}-*"):
            path = folder / name
            version = folder.name.removeprefix(f"{name}-")
            if _VERSION.fullmatch(version) and os.access(path, mode):
                pairs.append((version, path))
        return sorted(pairs, key=lambda p: version_key(p[0]), reverse=True)

    def node(self) -> str:
        """A Node for what is no runtime itself: the one in PATH, or the
        newest that is pinned; its name where there is none."""
        found = shutil.which("node")
        if found is None and "node" in self.entries:
            pinned = self.pinned("node")
            found = str(pinned[0][1]) if pinned else None
        return found or "node"

    def _provided(self, entry: Entry, spec: str) -> Target:
        assert entry.provider is not None
        return Target(
            name=entry.name,
            spec=spec,
            provider=self.places.built(entry.provider),
            env=entry.env,
        )

    def _started(
        self, entry: Entry, spec: str, version: str, path: Path
    ) -> Target:
        words = {
            "{exe}": str(path),
            "{node}": self.node(),
            "{root}": str(self.places.root),
            "{build}": str(self.places.build),
        }

        def fill(word: str) -> str:
            for key, value in words.items():
                word = word.replace(key, value)
            return word

        return Target(
            name=entry.name,
            spec=spec,
            version=version,
            command=tuple(fill(word) for word in entry.adapter),
            executable=path,
            env=entry.env,
        )


def _version_of(entry: Entry, path: Path) -> str | None:
    """What an executable calls its version; None where it does not say."""
    try:
        said = subprocess.run(
            [path, *entry.version],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            env={**os.environ, **entry.env},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said.stdout)
    return match.group(1) if said.returncode == 0 and match else None


def own_adapter(command: str, name: str) -> Target:
    """An adapter that the user brings along."""
    import shlex

    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise RegistryError(
            f"the adapter's command cannot be read: {error}",
            place=command,
            remedy="quote it as a shell would understand it",
        ) from error
    if not words:
        raise RegistryError(
            "the adapter's command is empty",
            remedy="give a program: --adapter './my-adapter --flag'",
        )
    if shutil.which(words[0]) is None:
        there = Path(words[0]).exists()
        raise RegistryError(
            "the adapter is not executable" if there
            else "there is no such adapter",
            place=words[0],
            remedy=f"chmod +x {words[0]}" if there
            else "give the path of a program, or one that is in PATH",
        )
    return Target(name=name or Path(words[0]).stem, spec="", command=words,
                  label=name)


def own_provider(path: Path, name: str) -> Target:
    """A provider library that the user brings along."""
    if not path.is_file():
        raise RegistryError(
            "there is no such provider library",
            place=str(path),
            remedy="give the path of a shared library with pl_provider_v1",
        )
    return Target(
        name=name or path.stem, spec="", provider=path.absolute(), label=name
    )


def _strings(value: Any, what: str, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(item, str) for item in value
    ):
        raise RegistryError(f"{what} must be a list of strings", place=place)
    return tuple(value)


def _entry(name: str, value: Any, place: str) -> Entry:
    at = f"{place}: {name}"
    if not isinstance(value, dict):
        raise RegistryError("an implementation is a mapping", place=at)
    unknown = sorted(set(value) - _KEYS)
    if unknown:
        raise RegistryError(
            f"unknown key '{unknown[0]}'",
            place=at,
            remedy=f"known keys: {', '.join(sorted(_KEYS))}",
        )
    if ("provider" in value) == ("adapter" in value):
        raise RegistryError(
            "exactly one of 'provider' and 'adapter' is needed", place=at
        )
    npm = value.get("npm")
    if npm is not None and not isinstance(npm, dict):
        raise RegistryError("'npm' must be a mapping", place=at)
    for key, beside in (("package", "provider"), ("runtime", "adapter")):
        if key in value and beside not in value:
            raise RegistryError(f"'{key}' belongs to '{beside}'", place=at)
    return Entry(
        name=name,
        title=str(value.get("title", name)),
        provider=value.get("provider"),
        package=value.get("package"),
        adapter=_strings(value.get("adapter", []), "'adapter'", at),
        executables=_strings(value.get("executables", []), "'executables'",
                             at),
        runtime=value.get("runtime"),
        version=_strings(value.get("version", ["--version"]), "'version'", at),
        env={str(k): str(v) for k, v in (value.get("env") or {}).items()},
        npm=Npm(
            {k: str(v) for k, v in npm.items()
             if k not in ("executable", "library")},
            str(npm.get("library", npm.get("executable", name))),
            "library" in npm,
        ) if npm else None,
    )


def read_registry(places: Places) -> Registry:
    """Read conformance/implementations.yaml."""
    path = places.implementations
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(
            f"cannot be read: {error.strerror}", place=str(path)
        ) from error
    except yaml.YAMLError as error:
        raise RegistryError(
            f"this is not YAML: {_first_line(error)}", place=str(path)
        ) from error
    table = value.get("implementations") if isinstance(value, dict) else None
    if not isinstance(table, dict) or not table:
        raise RegistryError(
            "the mapping 'implementations' is missing", place=str(path)
        )
    entries = {str(k): _entry(str(k), v, str(path)) for k, v in table.items()}
    for entry in entries.values():
        if entry.runtime is not None and entry.runtime not in entries:
            raise RegistryError(
                f"there is no runtime '{entry.runtime}'",
                place=f"{path}: {entry.name}",
            )
    return Registry(places, entries)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())


def resolve_all(registry: Registry, specs: Sequence[str]) -> list[Target]:
    """The targets of several specs, each implementation once."""
    targets: list[Target] = []
    for spec in specs:
        target = registry.resolve(spec)
        if all(
            (target.name, target.version) != (other.name, other.version)
            for other in targets
        ):
            targets.append(target)
    return targets



def named_targets(
    registry: Registry,
    specs: Sequence[str],
    adapter: str | None,
    provider: Path | None,
    name: str,
) -> list[Target]:
    """The targets of specs, and what the user brings along, under a name."""
    targets = resolve_all(registry, specs)
    if adapter is not None:
        targets.append(own_adapter(adapter, name))
    if provider is not None:
        targets.append(own_provider(provider, name))
    return targets
