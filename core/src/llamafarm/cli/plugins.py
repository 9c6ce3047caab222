"""`lf plugins`: what is installed, and whether it works."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import print_json, print_table
from llamafarm.cli.plugins_new import new
from llamafarm.errors import UsageError

if TYPE_CHECKING:
    from llamafarm.plugins.loader import PluginStatus


@click.group()
def plugins() -> None:
    """What is installed, and whether it works."""


plugins.add_command(new)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the installed plugins with their status, and the cause where one does not work."""
    found = current_app().plugins.statuses()
    if as_json:
        print_json([asdict(row) for row in found])
        return
    rows = [[row.name, row.distribution, row.version, row.status, _brings(row), _first(row.cause)] for row in found]
    print_table(["PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", "BRINGS", ""], rows)


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


@plugins.command()
@click.option("--timeout", default=20.0, show_default=True, help="Seconds that each plugin may take.")
def check(timeout: float) -> None:
    """Load each plugin in a process of its own, with a time limit. Exit code 1 where one fails."""
    from llamafarm.plugins.check import check_all

    results = check_all(current_app().plugins, timeout=timeout)
    rows = [[row.name, row.distribution, row.version, row.status, row.cause or ""] for row in results]
    print_table(["PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", ""], rows)
    if any(result.status not in ("active", "disabled") for result in results):
        raise click.exceptions.Exit(1)


def _brings(row: PluginStatus) -> str:
    return ", ".join([*row.providers, *row.handlers, *row.fragments])


def _first(cause: str | None) -> str:
    return cause.splitlines()[0] if cause else ""
