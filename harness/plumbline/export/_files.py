# SPDX-License-Identifier: MIT
"""Writing a text: whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from plumbline.errors import ReportError

__all__ = ["write_text"]


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`; ReportError, and the old file as it was, where
    that cannot be done."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise ReportError(
            f"cannot be written: {error.strerror}", place=str(path),
            remedy="give another file with --output FILE",
        ) from error
