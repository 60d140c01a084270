# SPDX-License-Identifier: MIT
"""`plumbline smoke`: does an adapter's plumbing work at all?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import click

from plumbline.errors import RunError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline smoke node
  plumbline smoke './my-adapter --flag'
  plumbline smoke ./libmine.so
"""


@click.command("smoke", epilog=_EPILOG)
@click.argument("adapter", metavar="IMPL|CMD|LIB.so")
def command(adapter: str) -> int:
    """Try an adapter with a handful of trivial cases.

    Takes the name of a known implementation, the command of an adapter, or a
    provider library. Says what the adapter answered and what was wrong with
    it, and validates every message against the protocol's schema.
    """
    from plumbline.judge import implementation_words
    from plumbline.places import find_places
    from plumbline.registry import own_adapter, own_provider, read_registry

    places = find_places()
    registry = read_registry(places)
    if adapter.partition("@")[0] in registry.entries:
        target = registry.resolve(adapter)
    elif adapter.endswith(".so"):
        target = own_provider(Path(adapter), "")
    else:
        target = own_adapter(adapter, "")
    words = [
        str(places.conform),
        "--corpus", str(places.corpus),
        *implementation_words(places, target),
        "--smoke",
        "--check-protocol",
        "--schema", str(places.root / "conformance" / "schema"),
    ]
    try:
        process = subprocess.Popen(words, env={**os.environ, **target.env})
    except OSError as error:
        raise RunError(
            f"the judge cannot be started: {error.strerror}",
            place=str(places.conform),
        ) from error
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The judge shares our terminal and has had the same Ctrl-C.
        process.wait()
        raise
