# SPDX-License-Identifier: MIT
"""The command line: one group whose commands are imported when they are used.

Start-up matters more here than anywhere else: `--help` must be there before
the finger has left the key, so this file imports click and nothing heavier.
Whatever goes wrong below ends in main(), which prints one clear message and
picks the exit status: 0 as expected, 1 something unexpected, 2 nothing was
proved (usage, broken input), 130 interrupted; of measurements, 3 slower, 4 not
to be told, 5 nothing valid was measured.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType

import click

from plumbline import __version__
from plumbline.errors import Interrupted, PlumblineError

__all__ = ["COMPLETE_VARIABLE", "group", "main"]

# click answers a shell that sets it; the launcher then builds nothing.
COMPLETE_VARIABLE = "_PLUMBLINE_COMPLETE"

# name: (module below plumbline.commands, one line of help)
_COMMANDS = {
    "run": ("run", "Judge implementations and show where they differ."),
    "diff": ("diff", "Tell what changed between two runs."),
    "list": ("list", "List cases, rules, operations or implementations."),
    "explain": ("explain", "Explain a case, rule, operation or trait."),
    "explain-latency": (
        "explain_latency", "Name the callbacks that held a loop."),
    "explore": ("explore", "Print every trace that a program may leave."),
    "report": ("report", "Write the HTML report of earlier results."),
    "export": ("export", "Write results as JUnit, Markdown, a badge, …"),
    "merge": ("merge", "Put the shards of one run together."),
    "runtimes": ("runtimes", "List, add and remove pinned runtimes."),
    "init-adapter": (
        "init_adapter", "Write an adapter of one's own to begin with."),
    "smoke": ("smoke", "Try an adapter's plumbing with trivial cases."),
    "bench": ("bench", "Run the benchmarks, or measure the suite itself."),
    "compare": ("compare", "Hold two files of benchmarks together."),
    "gate": ("gate", "Tell whether this is slower than a revision."),
    "accept": ("accept", "Commit to the counters of here."),
    "history": ("history", "Show times over time, and where they changed."),
    "fuzz": ("fuzz", "Hold random programs against the model."),
    "compare-resolvers": (
        "compare_resolvers", "Resolve a real tree as Node does, or tell."),
    "mutants": ("mutants", "Check that cases catch wrong references."),
    "test": ("test", "Run every test of the suite itself."),
    "completion": ("completion", "Print a shell's completion script."),
}

_EPILOG = """\b
Examples:
  plumbline run                      everything that is found here
  plumbline run node libuv           two implementations
  plumbline run node --select loop/timeouts
  plumbline explain LOOP-CHECK-2
  plumbline runtimes add node@22 bun
"""


def _choose_colour(
    ctx: click.Context, param: click.Parameter, when: str | None
) -> None:
    """Into the environment, where consoles and every child look."""
    if when == "off":
        os.environ["NO_COLOR"] = "1"
        os.environ.pop("FORCE_COLOR", None)
    elif when == "on":
        os.environ["FORCE_COLOR"] = "1"
        os.environ.pop("NO_COLOR", None)


_COLOR = click.Option(
    ["--color"], type=click.Choice(["auto", "on", "off"]), is_eager=True,
    expose_value=False, callback=_choose_colour,
    help="Colours: on a terminal (auto), always, or never.")


def _coloured(command: click.Command) -> click.Command:
    """The command, and those below it, with --color."""
    if _COLOR not in command.params:
        command.params.append(_COLOR)
        if isinstance(command, click.Group):
            for below in command.commands.values():
                _coloured(below)
    return command


class _LazyGroup(click.Group):
    """A group that knows its commands' names before their code; each of them
    takes --color, as the group itself does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(
            f"plumbline.commands.{_COMMANDS[cmd_name][0]}"
        )
        command: click.Command = module.command
        return _coloured(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, _COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        rows = [(name, line) for name, (_, line) in _COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_LazyGroup,
    epilog=_EPILOG,
    params=[_COLOR],
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 88,
    },
)
@click.version_option(__version__, prog_name="plumbline")
def _plumbline() -> None:
    """Hold a Node-style runtime against a plumb line.

    One corpus of language-neutral cases, one judge, real implementations, one
    report.
    """


def group() -> click.Command:
    """The whole command line, for those who look at it from outside."""
    return _plumbline


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(text: str) -> None:
    """Print a message on stderr, in red where that is wanted."""
    head, _, rest = text.partition("\n")
    colour = "NO_COLOR" not in os.environ and (
        sys.stderr.isatty() or "FORCE_COLOR" in os.environ)
    name = "\x1b[1;31mplumbline:\x1b[0m" if colour else "plumbline:"
    print(f"{name} {head}", *([rest] if rest else []), sep="\n" if rest else "",
          file=sys.stderr)


def _defect(error: Exception) -> None:
    """An exception that nobody foresaw: keep its traceback in a file."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="plumbline-defect-", suffix=".txt", delete=False
    ) as file:
        file.write(f"{' '.join(sys.argv)}\n\n{traceback.format_exc()}")
    first = str(error).split("\n", 1)[0]
    _complain(
        f"this is a defect of Plumbline: {type(error).__name__}: {first}\n"
        f"  please report it with {file.name}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = _plumbline.main(
            args=arguments, prog_name="plumbline", standalone_mode=False,
            complete_var=COMPLETE_VARIABLE,
        )
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except PlumblineError as error:
        _complain(str(error))
        return error.status
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, Interrupted, click.Abort):
        _complain("interrupted")
        return 130
    except (BrokenPipeError, SystemExit) as ended:
        # The reader (`| head`) has seen enough; that is no error of ours.
        # Click makes a status of its own of it.
        if isinstance(ended, SystemExit) and not isinstance(
            ended.__context__, BrokenPipeError
        ):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}")
        return 2
    except Exception as error:  # noqa: BLE001  (the last line of defence)
        _defect(error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
