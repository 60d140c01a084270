# SPDX-License-Identifier: MIT
"""What the documentation tells its reader to do, done; and its links."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from documents import Step, perform, steps

from plumbline import cli
from plumbline.errors import BuildError
from plumbline.places import find_places
from plumbline.summary import MARKS

ROOT = Path(__file__).parents[2]
TUTORIAL = "conformance/adapters/TUTORIAL.md"
_ELSEWHERE = {"build", "out", "node_modules"}


def _pages() -> list[str]:
    """Every page of the checkout."""
    found: list[str] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in _ELSEWHERE
                      and not f.startswith((".", "build-"))]
        found += [str(Path(folder, f).relative_to(ROOT)) for f in files
                  if f.endswith(".md")]
    return sorted(found)


PAGES = _pages()
DONE = [page for page in PAGES if any(steps(ROOT / page))]


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    """An empty folder with `./plumbline` in it, which builds nothing: what
    the launcher does has its own tests."""
    program = tmp_path / "plumbline"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m plumbline.cli "$@"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.fixture()
def env(tmp_path: Path) -> dict[str, str]:
    """The build that is there, and nothing of the user's own settings."""
    places = find_places()
    try:
        assert places.conform
    except BuildError as error:
        pytest.skip(str(error))
    return {
        "PATH": f"/usr/bin:/bin:{os.environ.get('PATH', '')}",
        "HOME": str(tmp_path), "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "harness"),
        "PLUMBLINE_BUILD": str(places.build),
        "PLUMBLINE_OUT": str(tmp_path / "out"),
    }


@pytest.mark.parametrize("page", DONE)
def test_what_a_page_shows_is_what_is_printed(
    page: str, folder: Path, env: dict[str, str]
) -> None:
    """Every command, in the order of the page."""
    for step in steps(ROOT / page):
        perform(step, folder, env, 300)
    if page == TUTORIAL:
        assert (folder / "out/report/index.html").is_file()


def test_the_pages_for_users_show_something() -> None:
    """The tutorial, the README, and a page for each kind of user."""
    assert set(DONE) >= {
        "README.md", TUTORIAL, "docs/runtimes.md", "docs/ci.md",
        "docs/reports.md"}
    assert len(list(steps(ROOT / TUTORIAL))) >= 10


def test_a_page_that_is_not_true_is_told(tmp_path: Path) -> None:
    """A command that prints something else, an edit that does not fit."""
    page = tmp_path / "page.md"
    page.write_text("x\n```console\n$ echo a; echo b\na\n$ echo c1\nc…\n```\n"
                    "```diff f\n-a\n+b\n```\n")
    one, two, three = steps(page)
    assert one == Step("page.md:3", "echo a; echo b", ("a",))
    with pytest.raises(AssertionError, match="page.md:3: `echo a; echo b`"):
        perform(one, tmp_path, os.environ)
    perform(two, tmp_path, os.environ)
    (tmp_path / "f").write_text("a\nc\n")
    perform(three, tmp_path, os.environ)
    assert (tmp_path / "f").read_text() == "b\nc\n"
    with pytest.raises(AssertionError, match="not once in f"):
        perform(three, tmp_path, os.environ)


# `./plumbline WORDS` of an indented block, of code within a line, and of the
# examples of --help; a line that goes on ends with a backslash.
_BLOCK = re.compile(r"^ {4}(?:\S+=\S+ )*(?:\./)?plumbline (.+)$", re.M)
_INLINE = re.compile(r"`\./plumbline ([^`]+)`")
_STANDS_FOR = re.compile(r"…|\w\|\w|[<\[]|\b(k/n|SEED)\b")


def _commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """The words of each, and whether it is a whole command, to be typed."""
    joined = text.replace("\\\n", " ")
    for pattern in (_BLOCK, _INLINE):
        for found in pattern.finditer(joined):
            line = re.split(r"  +| \(| [|&;>]|; ", found[1].strip())[0]
            if not _STANDS_FOR.search(line):
                yield shlex.split(line, comments=True), pattern is _BLOCK


def _parse(words: list[str]) -> None:
    """As the command line does it, and no further."""
    group = cli.group()
    assert isinstance(group, click.Group)
    context = click.Context(group, info_name="plumbline")
    while isinstance(group, click.Group):
        if not words or words[0].startswith("-"):
            return
        name, command, words = group.resolve_command(context, words)
        assert command is not None
        if not isinstance(command, click.Group) and not {
                "--help", "-h"} & set(words):
            command.make_context(name, list(words), parent=context)
            return
        group = command


def _examples() -> dict[str, str]:
    """The examples of every command's --help."""
    return {
        f"{name} --help": str(importlib.import_module(
            f"plumbline.commands.{module}").command.epilog)
        .replace("\n  plumbline", "\n    plumbline")
        for name, (module, _) in cli._COMMANDS.items()
    }


def test_commands_of_pages_and_help_are_ones_of_this_program() -> None:
    """Names and options are read by the parser that users meet."""
    texts = {page: (ROOT / page).read_text(encoding="utf-8")
             for page in PAGES} | _examples()
    wrong: list[str] = []
    count = 0
    for place, text in texts.items():
        for words, whole in _commands(text):
            count += 1
            try:
                _parse(words)
            except click.ClickException as error:
                if isinstance(error, click.MissingParameter) and not whole:
                    continue  # a command's name, in a sentence
                wrong.append(f"{place}: plumbline {shlex.join(words)}: "
                             f"{error.format_message()}")
    assert not wrong, "\n".join(wrong)
    assert count > 100


def test_an_option_that_is_none_is_told() -> None:
    """Here, where nobody would type it."""
    for line in ("run --no-such", "no-such", "diff one", "runtimes no-such"):
        with pytest.raises(click.ClickException):
            _parse(shlex.split(line))


def test_links_lead_somewhere() -> None:
    """To a file of the checkout, and to a heading that the page has."""
    wrong: list[str] = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, heading = link.partition("#")
            if "://" in path or not re.fullmatch(r"[\w./-]*", path):
                continue
            target = (ROOT / page).parent / path if path else ROOT / page
            if not target.exists():
                wrong.append(f"{page}: {link}")
            elif heading and heading not in {
                re.sub(r"[^\w -]", "", h).lower().replace(" ", "-")
                for h in re.findall(r"^#+ (.+)$",
                                    target.read_text(encoding="utf-8"), re.M)
            }:
                wrong.append(f"{page}: {link}: no such heading")
    assert not wrong, "\n".join(wrong)


def test_rules_that_pages_name_are_rules() -> None:
    """Of the spec, or retired there."""
    spec = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES
            if page.startswith("conformance/spec/")]
    rule = r"\b[A-Z]+-[A-Z]+-\d+\b"
    known = {one for text in spec for line in text.splitlines()
             if line.startswith(("### ", "Retired ids:"))
             for one in re.findall(rule, line)}
    areas = {one.partition("-")[0] for one in known}
    wrong = [f"{page}: {one}" for page in PAGES
             for one in re.findall(rule, (ROOT / page).read_text("utf-8"))
             if one.partition("-")[0] in areas and one not in known
             and page != "conformance/spec/README.md"  # invents examples
             and not page.startswith("harness/tests/")]
    assert not wrong, "\n".join(wrong)
    assert len(known) > 800


def test_the_table_of_verdicts_is_the_one_of_the_program() -> None:
    """Symbols, names and meanings."""
    text = (ROOT / "docs/runtimes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S) \| (\w+) \| (.+) \|$", text, re.M)
    assert rows == [(mark, name, said) for name, (mark, said) in
                    MARKS.items()]
