# SPDX-License-Identifier: MIT
"""`plumbline compare`: two files of measurements, any google-benchmark's."""

from __future__ import annotations

from math import log1p
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plumbline.errors import UsageError

if TYPE_CHECKING:
    from plumbline.compare import Comparison
    from plumbline.measure import Document

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline compare before.json after.json
  plumbline compare before.json after.json --filter timers --strict
  plumbline compare bench.json bench.json --from libuv --to ref
\b
Exit status: 0 nothing is slower, 3 something is (the 99% bound lies above
the margin), 4 with --strict something cannot be told, 5 the files prove
nothing, 2 there is no such file.
"""


@click.command("compare", epilog=_EPILOG)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--filter", "pattern", metavar="REGEX",
              help="Only the benchmarks whose name matches.")
@click.option("--clock", type=click.Choice(["cpu", "real"]), default="cpu",
              show_default=True, help="Which time is compared.")
@click.option("--margin", type=click.FloatRange(0, 100), default=3.0,
              show_default=True, metavar="PERCENT",
              help="What counts as no change.")
@click.option("--from", "early", metavar="IMPL",
              help="With --to: hold one implementation of the files against "
                   "another.")
@click.option("--to", "late", metavar="IMPL")
@click.option("--strict", is_flag=True,
              help="Status 4 where something cannot be told.")
@click.option("--json", "json_file", type=click.Path(path_type=Path),
              metavar="FILE", help="Write the comparison, too.")
def command(
    before: Path,
    after: Path,
    pattern: str | None,
    clock: str,
    margin: float,
    early: str | None,
    late: str | None,
    strict: bool,
    json_file: Path | None,
) -> int:
    """Hold two files of google-benchmark JSON against each other.

    The estimate is Hodges and Lehmann's, of the logarithms of all
    repetitions; REGRESSED is only what lies above the margin with 99%
    confidence. Two files were measured at two times: to decide about a
    change, use `plumbline gate`, which interleaves.
    """
    from plumbline.compare import compare, comparison_table
    from plumbline.measure import read_document
    from plumbline.terminal import output
    from plumbline.verdicts import status_of

    if (early is None) != (late is None):
        raise UsageError("--from and --to belong together")
    first, second = read_document(before), read_document(after)
    found = compare(first, second, clock=clock, margin=log1p(margin / 100),
                    names=_names(first, second, pattern, early, late))
    console = output()
    console.print(comparison_table(found))
    for name, only in (("first", found.only_before),
                       ("second", found.only_after)):
        if only and not pattern and early is None:
            console.print(f"only in the {name}: {', '.join(only)}",
                          style="yellow")
    for note in found.notes:
        console.print(note, style="dim")
    if json_file:
        _write(json_file, found)
    return status_of(found.verdicts, strict)


def _names(
    first: Document, second: Document, pattern: str | None,
    early: str | None, late: str | None,
) -> dict[str, str] | None:
    import re

    if pattern is None and early is None:
        return None
    try:
        wanted = re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"this is no regular expression: {error}",
                         place=pattern) from error
    if early is None or late is None:
        names = {n: n for n in first.series
                 if n in second.series and wanted.search(n)}
    else:
        names = {
            s.full_name: f"{s.name}/impl:{late}"
            for s in first.series.values()
            if s.implementation == early and wanted.search(s.name)
            and f"{s.name}/impl:{late}" in second.series
        }
    if not names:
        raise UsageError("no benchmark of both files is selected")
    return names


def _write(path: Path, found: Comparison) -> None:
    import json
    from dataclasses import asdict
    from math import isfinite
    from typing import Any

    from plumbline.measure._document import write_whole

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [finite(one) for one in value]
        if isinstance(value, float) and not isfinite(value):
            return None
        return value

    write_whole(path, json.dumps(finite(asdict(found)), indent=1) + "\n")
