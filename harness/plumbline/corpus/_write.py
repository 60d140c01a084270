# SPDX-License-Identifier: MIT
"""Writes the compiled corpus: three files, each whole or not at all.

The bytes depend on the sources alone: no time, no path of the machine, the
order of the sources kept.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plumbline import __version__
from plumbline.corpus._corpus import Corpus
from plumbline.errors import CorpusError

__all__ = ["FORMAT", "corpus_text", "expectations_text", "rules_text",
           "write_depfile", "write_file"]

FORMAT = 1


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def corpus_text(corpus: Corpus) -> str:
    """corpus.jsonl: a header, then a line a case."""
    head = {
        "kind": "corpus", "format": FORMAT, "suite": __version__,
        "cases": len(corpus.cases), "rules": len(corpus.rules.by_id),
    }
    lines = [head, *(case.record() for case in corpus.cases)]
    return "".join(_line(line) + "\n" for line in lines)


def rules_text(corpus: Corpus) -> str:
    """rules.json: every rule by its id."""
    table = {
        rule.id: {
            "level": rule.level, "title": rule.title, "text": rule.text,
            "source": rule.source, "since": rule.since or None,
            "trait": rule.trait or None, "file": rule.file,
            "line": rule.line, "area": rule.area,
        }
        for rule in corpus.rules.by_id.values()
    }
    return json.dumps(table, ensure_ascii=False, indent=1) + "\n"


def expectations_text(corpus: Corpus) -> str:
    """expectations.json: the known failures of each implementation."""
    table = {
        "format": FORMAT,
        "implementations": {
            name: [entry.record() for entry in entries]
            for name, entries in sorted(corpus.expectations.items())
        },
    }
    return json.dumps(table, ensure_ascii=False, indent=1) + "\n"


def write_file(path: Path, text: str) -> None:
    """Write a file whole: readers see the old one or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.",
                                        dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise CorpusError(f"cannot be written: {error.strerror}",
                          place=str(path)) from error


def write_depfile(path: Path, target: str, sources: Iterable[Path]) -> None:
    """A depfile for ninja: `target` depends on every source."""
    def escape(name: str) -> str:
        return name.replace("\\", "\\\\").replace(" ", "\\ ").replace(
            "#", "\\#").replace("$", "$$")

    lines = " \\\n  ".join(escape(str(source)) for source in sources)
    write_file(path, f"{escape(target)}: {lines}\n")
