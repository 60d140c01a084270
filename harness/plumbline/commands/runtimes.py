# SPDX-License-Identifier: MIT
"""`plumbline runtimes`: the JavaScript runtimes that are here, pinned or not.
"""

from __future__ import annotations

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  plumbline runtimes                                  what is here
  plumbline runtimes add node@12.8.1 node@22 bun deno
  plumbline runtimes remove node@12.8.1
"""


@click.group("runtimes", epilog=_EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, add and remove pinned runtimes.

    Pinned versions come from npm and live in .runtimes/, which git ignores;
    nothing is installed into the system.
    """
    if context.invoked_subcommand is None:
        context.exit(context.invoke(_list) or 0)


@command.command("list")
def _list() -> int:
    """List the runtimes in PATH and in .runtimes/."""
    from plumbline.places import find_places
    from plumbline.registry import read_registry

    places = find_places()
    registry = read_registry(places)
    for entry in registry.entries.values():
        if entry.npm is None:
            continue
        found = registry.found(entry)
        for target in found:
            where = places.short(target.executable or places.root)
            click.echo(f"{target.spec:<16} {target.version:<12} {where}")
        if not found:
            click.echo(f"{entry.name:<16} {'-':<12} add it with:  "
                       f"plumbline runtimes add {entry.name}")
    return 0


@command.command("add", epilog=_EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
def _add(specs: tuple[str, ...]) -> int:
    """Install versions: node@12.8.1 is that one, node@22 the newest 22."""
    from plumbline.places import find_places
    from plumbline.registry import read_registry, split_spec
    from plumbline.runtimes import add, package_of, resolve
    from plumbline.terminal import remarks

    places = find_places()
    registry = read_registry(places)
    # Everything that can be wrong with the words comes before any download.
    for spec in specs:
        package_of(registry.entry(split_spec(spec)[0]))
    console = remarks()
    for spec in specs:
        with console.status(f"{spec}: asking npm"):
            wanted = resolve(registry, spec)
        name = f"{wanted.name}@{wanted.version}"
        with console.status(f"{name}: installing"):
            path, new = add(places, wanted)
        done = "installed" if new else "already here"
        click.echo(f"{name}: {done}, {places.short(path)}")
    return 0


@command.command("remove", epilog=_EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
def _remove(specs: tuple[str, ...]) -> int:
    """Remove pinned versions."""
    from plumbline.places import find_places
    from plumbline.registry import read_registry
    from plumbline.runtimes import remove

    places = find_places()
    registry = read_registry(places)
    for spec in specs:
        click.echo(f"removed {places.short(remove(registry, spec))}")
    return 0
