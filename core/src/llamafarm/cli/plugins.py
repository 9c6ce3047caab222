"""`lf plugins`: what is installed, and whether it works."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.lazy import LazyGroup
from llamafarm.cli.output import counted, json_option, print_json, print_table
from llamafarm.errors import UsageError

if TYPE_CHECKING:
    from llamafarm.plugins.status import PluginStatus


@click.group(cls=LazyGroup, prefix="plugins.")
def plugins() -> None:
    """What is installed, and whether it works."""


@plugins.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the installed plugins with their status, and the cause where one does not work."""
    found = current_app().plugins.statuses()
    if as_json:
        print_json(found)
        return
    heads = ["PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", "BRINGS", ""]
    print_table(heads, [_cells(row) for row in found])


def _cells(row: PluginStatus) -> list[str]:
    names = dict.fromkeys([*row.providers, *row.handlers, *row.fragments, *row.tool_sources])
    brings = ", ".join([*names, *([counted(len(row.routes), "route")] if row.routes else [])])
    cause, *_ = (row.cause or "").splitlines() or [""]
    return [row.name, row.distribution, row.version, row.status, brings, cause]


@plugins.command()
@click.argument("name")
def show(name: str) -> None:
    """Show one plugin: its hooks, what it brings, and why it does not work."""
    found = [row for row in current_app().plugins.statuses() if name in (row.name, row.distribution)]
    if not found:
        raise UsageError(f"There is no plugin {name!r}.", hint="`lf plugins list` shows those that are installed.")
    for row in found:
        for key, value in asdict(row).items():
            if value:
                click.echo(f"{key}: {', '.join(value) if isinstance(value, list | tuple) else value}")
