# SPDX-License-Identifier: MIT
"""`plumbline completion`: what a shell needs to complete our words."""

from __future__ import annotations

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  eval "$(./plumbline completion bash)"                        this shell
  ./plumbline completion zsh > ~/.zfunc/_plumbline             every shell
  ./plumbline completion fish > ~/.config/fish/completions/plumbline.fish
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script of bash, zsh or fish.

    Commands, options, implementations, case ids and rules are completed. The
    program must be called `plumbline`, in PATH or with a folder in front.
    """
    from click.shell_completion import get_completion_class

    from plumbline.cli import COMPLETE_VARIABLE, group

    known = get_completion_class(shell)
    if known is None:  # a click without it
        raise click.UsageError(f"this click knows no {shell}")
    click.echo(known(group(), {}, "plumbline", COMPLETE_VARIABLE).source())
    return 0
