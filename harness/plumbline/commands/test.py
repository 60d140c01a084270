# SPDX-License-Identifier: MIT
"""`plumbline test`: every test of the suite itself."""

from __future__ import annotations

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline test                     all but the long ones, minutes
  plumbline test --full              sanitizers, pinned runtimes, repeats too
  plumbline test --only unit --only types
\b
Stages: unit types corpus python conformance mutants; with --full also asan
tsan runtimes resolvers fuzzers leaks soaks repeat gate. Each has its log in
out/test/.
"""


@click.command("test", epilog=_EPILOG)
@click.option("--full", is_flag=True, help="The long stages too.")
@click.option("--only", multiple=True, metavar="STAGE",
              help="Only this stage.")
@click.option("-x", "--exitfirst", is_flag=True,
              help="End with the first stage that fails.")
def command(full: bool, only: tuple[str, ...], exitfirst: bool) -> int:
    """Run every test of the suite itself.

    C unit tests, the harness's and adapters' tests, types, the corpus's
    lint, every case on the reference, libuv and Node with the expected
    result, and the mutants.
    """
    from plumbline.places import find_places
    from plumbline.selftest import Options, run_stages, stages
    from plumbline.terminal import output

    count = run_stages(
        output(), find_places(), stages(), Options(full, only, exitfirst)
    )
    click.echo(f"{count.passed} passed, {count.failed} failed, "
               f"{count.skipped} skipped")
    return 1 if count.failed or not count.passed else 0
