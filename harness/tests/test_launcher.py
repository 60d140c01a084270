# SPDX-License-Identifier: MIT
"""The launcher, with made-up dpkg-query, apt-get, sudo, meson and ninja."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.places import find_places

Launch = Callable[..., "subprocess.CompletedProcess[str]"]

# Each made-up program writes its words to $LOG.
TOOLS = {
    "dpkg-query": """
for word; do case $word in -*) ;; *)
  case " $MISSING " in *" $word "*) ;;
  *) printf 'installed:%s ' "$word" ;; esac ;; esac; done""",
    "apt-get": """
echo "apt-get $* DEBIAN_FRONTEND=$DEBIAN_FRONTEND" >>"$LOG"
[ -z "$APT_FAILS" ] || { echo "E: no network"; exit 100; }
read -r line && echo "apt-get ate stdin" >>"$LOG"
exit 0""",
    "id": '\necho "${ID-0}"',
    "sudo": """
[ -z "$SUDO_ASKS" ] || exit 1
shift; exec "$@" """,
    "meson": """
echo "meson $*" >>"$LOG"
[ -z "$MESON_FAILS" ] || { echo "meson.build:3: ERROR: no"; exit 1; }
for word; do last=$build; build=$word; done
touch "$last/build.ninja" """,
    "ninja": """
echo "ninja $*" >>"$LOG"
[ -z "$NINJA_FAILS" ] || { echo "[1/2] fine"; echo "FAILED: a.o";
  echo "a.c:1: error: no"; exit 1; }
[ -z "$WORK" ] || echo "[1/1] linking"
exit 0""",
}


@pytest.fixture()
def checkout(tmp_path: Path) -> Path:
    """A checkout whose path has a space, with nothing but the launcher and a
    command line that prints what it got."""
    root = tmp_path / "check out"
    package = root / "harness/plumbline"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(
        "import os, sys\nprint(sys.argv[1:])\n"
        "print(os.environ['PLUMBLINE_BUILD'])\n"
        "print(repr(sys.stdin.read()))\n"
    )
    shutil.copy(find_places().root / "plumbline", root / "plumbline")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text(f"#!/bin/sh{text}\n")
        (tools / name).chmod(0o755)
    return root


@pytest.fixture()
def launch(checkout: Path, tmp_path: Path) -> Launch:
    def run(
        *words: str, program: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "log").write_text("")
        return subprocess.run(
            [str(program or checkout / "plumbline"), *words],
            cwd=tmp_path, input="typed\n", capture_output=True, text=True,
            env={"PATH": f"{tmp_path}/tools:/usr/bin:/bin",
                 "LOG": str(tmp_path / "log"), **more},
        )

    return run


def _log(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().splitlines()


def test_a_first_run_configures_builds_and_starts(
    launch: Launch, checkout: Path, tmp_path: Path
) -> None:
    """With the words and the stdin that were given."""
    done = launch("run", "a b", WORK="1")
    build = checkout / "build"
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"['run', 'a b']\n{build}\n'typed\\n'\n"
    assert _log(tmp_path) == [f"meson setup {build} {checkout}",
                              f"ninja -C {build}"]
    assert done.stderr.endswith("plumbline: building\n")


def test_a_run_without_change_is_silent(
    launch: Launch, checkout: Path, tmp_path: Path
) -> None:
    """Ninja looks, nobody speaks."""
    launch("run")
    done = launch("run")
    assert done.stderr == ""
    assert _log(tmp_path) == [f"ninja -C {checkout / 'build'}"]


def test_a_link_from_elsewhere_finds_its_checkout(
    launch: Launch, checkout: Path, tmp_path: Path
) -> None:
    """Also one to a link."""
    (tmp_path / "one").symlink_to(checkout / "plumbline")
    (tmp_path / "two").symlink_to("one")
    done = launch("--version", program=tmp_path / "two")
    assert done.stdout.splitlines()[1] == str(checkout / "build")


@pytest.mark.parametrize("words", [
    ["--help"], [], ["run", "--help"], ["runtimes"], ["rnu"],
])
def test_help_needs_no_build(
    launch: Launch, tmp_path: Path, words: list[str]
) -> None:
    """Nor compilers."""
    done = launch(*words, MISSING="gcc meson")
    assert done.returncode == 0
    assert _log(tmp_path) == []


def test_list_builds_the_corpus_only(launch: Launch, tmp_path: Path) -> None:
    """It is quick from the first time on."""
    launch("list")
    assert _log(tmp_path)[-1].endswith(" conformance/cases/corpus.stamp")


@pytest.mark.parametrize("words", [["--color", "off"], ["--color=off"]])
def test_a_choice_of_colours_may_stand_in_front(
    launch: Launch, tmp_path: Path, words: list[str]
) -> None:
    """The command is still the command."""
    done = launch(*words, "list")
    assert done.stdout.startswith(repr([*words, "list"]))
    assert _log(tmp_path)[-1].endswith(" conformance/cases/corpus.stamp")
    assert launch("--color").returncode == 0


def test_what_is_missing_is_installed_by_root(
    launch: Launch, tmp_path: Path
) -> None:
    """One update, one install, and stdin is left alone."""
    done = launch("run", MISSING="libuv1-dev meson")
    assert done.returncode == 0
    assert _log(tmp_path)[:2] == [
        "apt-get -q -y update DEBIAN_FRONTEND=noninteractive",
        "apt-get -q -y install --no-install-recommends meson libuv1-dev "
        "DEBIAN_FRONTEND=noninteractive",
    ]
    assert "'typed\\n'" in done.stdout
    assert "installed meson libuv1-dev" in done.stderr


def test_sudo_without_a_password_installs(
    launch: Launch, tmp_path: Path
) -> None:
    """As root does."""
    done = launch("run", MISSING="meson", ID="1000")
    assert done.returncode == 0
    assert _log(tmp_path)[1].startswith("apt-get -q -y install")


def test_without_rights_the_one_command_is_printed(
    launch: Launch, tmp_path: Path
) -> None:
    """Ready to be typed; nothing has happened."""
    done = launch("test", MISSING="gcc tox", ID="1000", SUDO_ASKS="1")
    assert done.returncode == 2
    assert ("sudo apt-get install --no-install-recommends tox gcc\n"
            in done.stderr)
    assert _log(tmp_path) == []


def test_a_failed_install_shows_what_apt_said(launch: Launch) -> None:
    """And ends with 2."""
    done = launch("run", MISSING="gcc", APT_FAILS="1")
    assert done.returncode == 2
    assert "E: no network" in done.stderr
    assert "apt-get update failed" in done.stderr


def test_a_broken_build_is_shown_in_full(
    launch: Launch, checkout: Path
) -> None:
    """Without the lines of what went well."""
    done = launch("run", NINJA_FAILS="1")
    assert done.returncode == 2
    assert "FAILED: a.o\na.c:1: error: no\n" in done.stderr
    assert "[1/2] fine" not in done.stderr
    assert done.stdout == ""
    log = checkout / "build/plumbline-build.log"
    assert str(log) in done.stderr
    assert "a.c:1: error: no" in log.read_text()


def test_a_failed_setup_is_tried_again(
    launch: Launch, tmp_path: Path
) -> None:
    """Once its reason is gone."""
    done = launch("run", MESON_FAILS="1")
    assert done.returncode == 2
    assert "meson.build:3: ERROR: no" in done.stderr
    assert launch("run").returncode == 0
    assert _log(tmp_path)[0].startswith("meson setup")


def test_a_moved_checkout_is_configured_anew(
    launch: Launch, checkout: Path, tmp_path: Path
) -> None:
    """Its build folder names the old place."""
    launch("run")
    moved = tmp_path / "moved"
    checkout.rename(moved)
    done = launch("run", program=moved / "plumbline")
    assert done.returncode == 0
    assert _log(tmp_path)[0] == (
        f"meson setup --wipe {moved}/build {moved}"
    )


def test_an_unwritable_build_folder_is_told(
    launch: Launch, tmp_path: Path
) -> None:
    """One message."""
    done = launch("run", PLUMBLINE_BUILD="/proc/none")
    assert done.returncode == 2
    assert "cannot make the folder /proc/none" in done.stderr


def test_a_system_without_dpkg_is_told_how_to_go_on(
    launch: Launch, tmp_path: Path
) -> None:
    """It may have everything under other names."""
    tools = tmp_path / "tools"
    for name in ("sh", "dirname", "readlink", "env", "cat", "flock", "mkdir",
                 "rm", "mktemp", "touch"):
        found = shutil.which(name)
        assert found
        if not (tools / name).exists():
            (tools / name).symlink_to(found)
    (tools / "dpkg-query").unlink()
    path = {"PATH": str(tools)}
    done = launch("run", **path)
    assert done.returncode == 2
    assert "PLUMBLINE_PACKAGES=skip" in done.stderr
    done = launch("run", PLUMBLINE_PACKAGES="skip", **path)
    assert done.returncode == 0, done.stderr


def test_npm_is_installed_when_runtimes_are_added(
    launch: Launch, tmp_path: Path
) -> None:
    """And only then."""
    tools = tmp_path / "tools"
    for name in ("sh", "dirname", "readlink", "env", "cat", "rm", "mktemp"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = launch("runtimes", "add", "bun", PATH=str(tools), MISSING="npm")
    assert done.returncode == 0, done.stderr
    assert "--no-install-recommends npm" in _log(tmp_path)[1]
    launch("runtimes", "list", PATH=str(tools), MISSING="npm")
    assert _log(tmp_path) == []


def test_the_launcher_is_clean_shell() -> None:
    """By shellcheck, where it is installed."""
    tool = shutil.which("shellcheck")
    if tool is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([tool, str(find_places().root / "plumbline")],
                          capture_output=True, text=True, env=os.environ)
    assert done.stdout == ""
