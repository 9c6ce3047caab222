"""`lf models rm`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.models import STATUS_SECONDS, provider_option, with_model
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
        entry, state = with_model(
            app, name, provider, lambda models, entry, _: models.state(entry, timeout=STATUS_SECONDS)
        )
        if not click.confirm(_question(entry, state), err=True):
            click.echo("Nothing was deleted.", err=True)
            raise click.exceptions.Exit(1)
    with_model(app, name, provider, lambda models, *asked: models.remove(*asked))
    click.echo(f"Deleted {name}.")
    app.warn()


def _question(entry: ModelEntry, state: ModelState) -> str:
    known = state.info.size_bytes if state.info else None
    of = f", {size(known)}" if known is not None else ""
    return plain(f"Delete {entry.model}{of}, of {entry.provider}?")
