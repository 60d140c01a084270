# SPDX-License-Identifier: MIT
"""Which implementations there are, and which one a spec means."""

from __future__ import annotations

from pathlib import Path

import pytest
import samples

from plumbline.errors import BuildError, RegistryError
from plumbline.places import Places, find_places
from plumbline.registry import (
    Registry,
    matches_version,
    own_adapter,
    own_provider,
    read_registry,
    resolve_all,
    split_spec,
    version_key,
)

YAML = """\
implementations:
  ref:
    provider: ref/libplumb-ref.so
  node:
    title: Node.js
    adapter: ["{exe}", --no-warnings, "{root}/a dapter.cjs"]
    executables: [node]
    env: {A: "1"}
"""

# Something that lives in node and has versions of its own, and a provider
# that is built where a package is there.
GUESTS = """  guest:
    adapter: ["{exe}", "{build}/guest.node"]
    executables: [node]
    runtime: node
    version: [--guest]
  optional:
    provider: optional.so
    package: optional-dev
"""


def _program(path: Path, version: str, guest: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"""#!/bin/sh
case $1 in --guest) echo {guest};; *) echo v{version};; esac
""")
    path.chmod(0o755)


@pytest.fixture()
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Node 20.1.0 in PATH; 12.8.1, 22.9.0, 22.10.0 and 20.1.0 pinned."""
    samples.write_build(tmp_path / "build")
    (tmp_path / "conformance").mkdir()
    (tmp_path / "conformance/implementations.yaml").write_text(YAML)
    _program(tmp_path / "bin/node", "20.1.0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    for version in ("12.8.1", "22.9.0", "22.10.0", "20.1.0"):
        _program(tmp_path / f".runtimes/node-{version}/node", version)
    return read_registry(Places(tmp_path, tmp_path / "build"))


def test_a_name_is_the_one_in_path(registry: Registry) -> None:
    """And its command is filled in."""
    target = registry.resolve("node")
    assert target.version == "20.1.0"
    root = registry.places.root
    assert target.command == (f"{root}/bin/node", "--no-warnings",
                              f"{root}/a dapter.cjs")
    assert target.env == {"A": "1"}
    assert target.title == "node-20.1.0"


def test_a_version_is_the_newest_that_begins_so(registry: Registry) -> None:
    """By components: 22.10 is newer than 22.9, and 2 is not 22."""
    assert registry.resolve("node@22").version == "22.10.0"
    assert registry.resolve("node@22.9").version == "22.9.0"
    assert registry.resolve("node@v12.8.1").version == "12.8.1"
    with pytest.raises(RegistryError, match="node@2 is not here"):
        registry.resolve("node@2")


def test_the_newest_pinned_one_stands_in_for_path(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name works without anything in PATH."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert registry.resolve("node").version == "22.10.0"


def test_everything_has_each_version_once(registry: Registry) -> None:
    """20.1.0 is in PATH and pinned: it is one implementation."""
    found = [target.title for target in registry.everything()]
    assert found == ["ref", "node-20.1.0", "node-22.10.0", "node-22.9.0",
                     "node-12.8.1"]


def _with_guests(registry: Registry) -> Registry:
    """1.46 in PATH; 1.51.0 in node-22.9.0, 1.46.0 again in node-20.1.0; what
    node-12.8.1 carries does not say, and neither does node-22.10.0."""
    places = registry.places
    with places.implementations.open("a") as file:
        file.write(GUESTS)
    _program(places.root / "bin/node", "20.1.0", "1.46.0")
    for version, guest in (("22.9.0", "1.51.0"), ("20.1.0", "1.46.0")):
        _program(places.runtimes / f"node-{version}/node", version, guest)
    return read_registry(places)


def test_a_guest_has_its_own_versions_in_its_runtimes_folders(
    registry: Registry,
) -> None:
    """And each version once; its command may name a file of the build."""
    registry = _with_guests(registry)
    found = [target.title for target in registry.everything()]
    assert [title for title in found if title.startswith("guest")] == [
        "guest-1.46.0", "guest-1.51.0"
    ]
    target = registry.resolve("guest@1.51")
    places = registry.places
    assert target.command == (f"{places.runtimes}/node-22.9.0/node",
                              f"{places.build}/guest.node")
    with pytest.raises(RegistryError, match="runtimes add node$"):
        registry.resolve("guest@1.30")


def test_a_provider_without_its_package_is_left_out_and_told(
    registry: Registry,
) -> None:
    """It is no fault that the build did not make it."""
    registry = _with_guests(registry)
    assert "optional" not in [t.name for t in registry.everything()]
    with pytest.raises(RegistryError, match="'optional-dev'"):
        registry.resolve("optional")
    (registry.places.build / "optional.so").touch()
    assert "optional" in [t.name for t in registry.everything()]
    assert registry.resolve("optional").provider is not None


def test_the_same_implementation_twice_is_one(registry: Registry) -> None:
    """However it is written."""
    targets = resolve_all(registry, ["node", "node@20", "ref", "ref"])
    assert [target.title for target in targets] == ["node-20.1.0", "ref"]


def test_a_program_that_says_no_version_is_not_found(
    registry: Registry,
) -> None:
    """Something else that is called node."""
    path = registry.places.root / "bin/node"
    path.write_text("#!/bin/sh\nexit 3\n")
    assert registry.resolve("node").version == "22.10.0"


@pytest.mark.parametrize(("spec", "told"), [
    ("nodee", "no implementation is called 'nodee'"),
    ("node@", "is no implementation"),
    ("node@latest", "is no implementation"),
    ("@12", "is no implementation"),
    ("ref@1", "built here and has one version"),
    ("node@99", "plumbline runtimes add node@99"),
])
def test_a_wrong_spec_is_told(
    registry: Registry, spec: str, told: str
) -> None:
    """With what to write instead."""
    with pytest.raises(RegistryError) as error:
        registry.resolve(spec)
    assert told in str(error.value)


def test_a_provider_that_is_not_built_is_told(registry: Registry) -> None:
    """The build's fault, not the user's."""
    (registry.places.build / "ref/libplumb-ref.so").unlink()
    with pytest.raises(BuildError, match="missing"):
        registry.resolve("ref")


def test_ones_own_adapter_is_looked_at_before_it_is_started(
    tmp_path: Path,
) -> None:
    """Missing, not executable, empty, badly quoted."""
    script = tmp_path / "adapter"
    for command, told in (
        (str(script), "no such adapter"), ("", "empty"),
        ("'a", "cannot be read"),
    ):
        with pytest.raises(RegistryError, match=told):
            own_adapter(command, "")
    script.write_text("#!/bin/sh\n")
    with pytest.raises(RegistryError, match="not executable"):
        own_adapter(str(script), "")
    script.chmod(0o755)
    target = own_adapter(f"{script} --flag 'a b'", "mine")
    assert target.command == (str(script), "--flag", "a b")
    assert target.title == "mine"


def test_ones_own_provider_must_exist(tmp_path: Path) -> None:
    """A message, not a failed dlopen."""
    with pytest.raises(RegistryError, match="no such provider"):
        own_provider(tmp_path / "x.so", "")


@pytest.mark.parametrize(("text", "told"), [
    ("implementations: [", "not YAML"),
    ("{}", "'implementations' is missing"),
    ("implementations: {a: 1}", "is a mapping"),
    ("implementations: {a: {}}", "exactly one of"),
    ("implementations: {a: {provider: x, adapter: [y]}}", "exactly one of"),
    ("implementations: {a: {provider: x, colour: red}}", "'colour'"),
    ("implementations: {a: {adapter: x}}", "list of strings"),
    ("implementations: {a: {adapter: [x], package: p}}", "'package' belongs"),
    ("implementations: {a: {provider: x, runtime: a}}", "'runtime' belongs"),
    ("implementations: {a: {adapter: [x], runtime: b}}", "no runtime 'b'"),
])
def test_a_wrong_registry_is_told(
    tmp_path: Path, text: str, told: str
) -> None:
    """With its file."""
    (tmp_path / "conformance").mkdir()
    path = tmp_path / "conformance/implementations.yaml"
    path.write_text(text)
    with pytest.raises(RegistryError) as error:
        read_registry(Places(tmp_path, tmp_path))
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_the_registry_of_this_checkout_is_right() -> None:
    """Its adapters exist, and its runtimes have a package per machine."""
    places = find_places()
    registry = read_registry(places)
    assert {
        "ref", "libuv", "libev", "libuv-in-node", "node", "bun", "deno"
    } <= set(registry.entries)
    for entry in registry.entries.values():
        for word in entry.adapter:
            path = word.replace("{root}", str(places.root))
            assert word == path or Path(path).is_file()
        if entry.npm:
            assert {"x86_64", "aarch64"} <= set(entry.npm.packages)


def test_versions_sort_as_people_count() -> None:
    """Pre-releases before their release."""
    versions = ["22.10.0", "22.9.0", "22.10.0-rc.1", "9.1.0"]
    assert sorted(versions, key=version_key) == [
        "9.1.0", "22.9.0", "22.10.0-rc.1", "22.10.0"
    ]
    assert matches_version("20.1.0", "20")
    assert not matches_version("20.10.0", "20.1")
    assert split_spec("node@v12") == ("node", "12")


LIBRARY = """  finder:
    adapter: ["{node}", "{root}/adapter.cjs", "{exe}"]
    npm: {x86_64: finder, aarch64: finder, library: lib/index.js}
"""


def test_a_library_is_found_and_started_by_node(
    registry: Registry, tmp_path: Path
) -> None:
    """It need not be executable, and its version is its folder's."""
    (tmp_path / "conformance/implementations.yaml").write_text(YAML + LIBRARY)
    folder = tmp_path / ".runtimes/finder-1.2.3"
    folder.mkdir()
    (folder / "finder").write_text("")
    target = read_registry(registry.places).resolve("finder@1")
    assert target.version == "1.2.3"
    assert target.command == (f"{tmp_path}/bin/node",
                              f"{tmp_path}/adapter.cjs", f"{folder}/finder")


def test_without_node_in_path_a_pinned_one_starts_a_library(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest of them."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert registry.node() == f"{tmp_path}/.runtimes/node-22.10.0/node"
