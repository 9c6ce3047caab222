"""`lf models rm`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.models import STATUS_SECONDS, context, provider_option
from llamafarm.cli.output import plain, size

if TYPE_CHECKING:
    from llamafarm.gateway.models import ModelState
    from llamafarm.providers.entry import ModelEntry


@click.command()
@click.argument("name")
@provider_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def rm(name: str, provider: str | None, yes: bool) -> None:
    """Delete the files of NAME at its runtime. Its model entry stays in llamafarm.yaml."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: give --yes to delete the model.")
    app = current_app()
    if not yes:
        entry, state = asyncio.run(_state(app, name, provider))
        if not click.confirm(_question(entry, state), err=True):
            click.echo("Nothing was deleted.", err=True)
            raise click.exceptions.Exit(1)
    asyncio.run(_remove(app, name, provider))
    click.echo(f"Deleted {name}.")
    app.warn()


async def _state(app: App, name: str, provider: str | None) -> tuple[ModelEntry, ModelState]:
    async with app.gateway() as gateway:
        entry = gateway.runtime_models.named(app.project_or_none, name, provider)
        return entry, await gateway.runtime_models.state(entry, timeout=STATUS_SECONDS)


def _question(entry: ModelEntry, state: ModelState) -> str:
    known = state.info.size_bytes if state.info else None
    of = f", {size(known)}" if known is not None else ""
    return plain(f"Delete {entry.model}{of}, of {entry.provider}?")


async def _remove(app: App, name: str, provider: str | None) -> None:
    from llamafarm.cli.progress import ProgressLine

    async with app.gateway() as gateway:
        entry = gateway.runtime_models.named(app.project_or_none, name, provider)
        with ProgressLine() as line:
            await gateway.runtime_models.remove(entry, context(line))
