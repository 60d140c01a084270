# SPDX-License-Identifier: MIT
"""The command line: compile, lint, vocabulary.

Exit status: 0 when all is well, 1 when the corpus (or a generated page) is
wrong, 2 when the command line is or a file cannot be read or written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from plumbline.corpus._corpus import Corpus, load, load_vocabulary
from plumbline.corpus._page import PAGE_FILE, page_text
from plumbline.corpus._protocol import (
    PROTOCOL_PAGE,
    PROTOCOL_SCHEMA,
    protocol_text,
)
from plumbline.corpus._problems import Problem, Problems
from plumbline.corpus._schema import SCHEMA_FILE, schema_text
from plumbline.corpus._write import (
    corpus_text,
    expectations_text,
    rules_text,
    write_depfile,
    write_file,
)
from plumbline.errors import PlumblineError

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[3]
_EXAMPLES = """\
examples:
  python -m plumbline.corpus lint
  python -m plumbline.corpus compile --out build/corpus
  python -m plumbline.corpus vocabulary --write
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="plumbline.corpus",
        description="Reads rules and cases, checks them, compiles them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("compile", help="check and compile")
    build.add_argument("--out", type=Path, required=True,
                       help="folder of corpus.jsonl, rules.json and "
                       "expectations.json")
    build.add_argument("--depfile", type=Path,
                       help="for ninja: what the corpus was made from")
    build.add_argument("--stamp", type=Path,
                       help="a file that is written last; the depfile's "
                       "target")
    build.add_argument("--draft", action="store_true",
                       help="compile what is right, leave out what is "
                       "wrong and tell it")
    lint = commands.add_parser("lint", help="check only, warnings as well")
    lint.add_argument("--strict", action="store_true",
                      help="warnings are errors")
    pages = commands.add_parser("vocabulary", help="the pages that are made "
                                "from the vocabulary")
    which = pages.add_mutually_exclusive_group(required=True)
    which.add_argument("--write", action="store_true", help="write them")
    which.add_argument("--check", action="store_true",
                       help="fail when they are not current")
    for command in (build, lint, pages):
        command.add_argument("--root", type=Path, default=_ROOT,
                             help="the checkout (default: the one that this "
                             "package belongs to)")
    return parser


def _tell(problems: list[Problem]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)


def _failed(problems: Problems) -> bool:
    """Tell every error; whether there was one."""
    errors = problems.of("error", "unfinished")
    _tell(errors)
    if errors:
        some = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        print(f"{some} in the corpus", file=sys.stderr)
    return bool(errors)


def _tell_draft(problems: Problems) -> None:
    """Tell what a draft leaves out, and how much is unfinished."""
    errors = problems.of("error")
    _tell(errors)
    print(f"draft: {len(errors)} errors, whose cases are left out, and "
          f"{len(problems.of('unfinished'))} unfinished places (see lint)",
          file=sys.stderr)


def _compile(options: argparse.Namespace) -> int:
    root: Path = options.root
    corpus = load(root)
    if options.draft:
        _tell_draft(corpus.problems)
    elif _failed(corpus.problems):
        return 1
    out: Path = options.out
    write_file(out / "corpus.jsonl", corpus_text(corpus))
    write_file(out / "rules.json", rules_text(corpus))
    write_file(out / "expectations.json", expectations_text(corpus))
    stamp: Path | None = options.stamp
    if options.depfile:
        write_depfile(options.depfile, str(stamp or out / "corpus.jsonl"),
                      _sources(root, corpus))
    if stamp:
        write_file(stamp, "")
    return 0


def _sources(root: Path, corpus: Corpus) -> list[Path]:
    """What the build must watch: the corpus, and the compiler itself."""
    base = root.resolve()
    package = Path(__file__).resolve().parent
    return [
        *(base / name for name in corpus.sources),
        *sorted(package.glob("*.py")),
        package.parent / "__init__.py",
        package.parent / "errors.py",
    ]


def _lint(options: argparse.Namespace) -> int:
    corpus = load(options.root)
    warnings = corpus.problems.of("warning")
    _tell(warnings)
    if _failed(corpus.problems) or (options.strict and warnings):
        return 1
    print(f"{len(corpus.rules.by_id)} rules, {len(corpus.cases)} cases, "
          f"{len(warnings)} warnings")
    return 0


def _vocabulary(options: argparse.Namespace) -> int:
    root: Path = options.root
    problems = Problems()
    vocabulary = load_vocabulary(root, problems)
    if _failed(problems):
        return 1
    pages = {PAGE_FILE: page_text(vocabulary),
             SCHEMA_FILE: schema_text(vocabulary)}
    protocol = root / PROTOCOL_SCHEMA
    if protocol.exists():
        pages[PROTOCOL_PAGE] = protocol_text(
            protocol.read_text(encoding="utf-8"))
    stale = 0
    for name, text in pages.items():
        path = root / name
        if options.write:
            write_file(path, text)
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{name}:1: not current; run `python -m plumbline.corpus "
                  "vocabulary --write`", file=sys.stderr)
            stale = 1
    return stale


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    commands = {"compile": _compile, "lint": _lint,
                "vocabulary": _vocabulary}
    try:
        return commands[options.command](options)
    except PlumblineError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
