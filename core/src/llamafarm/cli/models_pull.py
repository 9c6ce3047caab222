"""`lf models pull`."""

from __future__ import annotations

import shlex
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.models import provider_option, with_model
from llamafarm.cli.output import json_text

if TYPE_CHECKING:
    from llamafarm.providers.base import Progress


@click.command()
@click.argument("name")
@provider_option
@click.option("--json", "as_json", is_flag=True, help="Print each step as a line of JSON.")
def pull(name: str, provider: str | None, as_json: bool) -> None:
    """Have the runtime of NAME fetch it, where it is not there yet. What was broken off goes on where it was."""
    app = current_app()
    # Ended by SIGTERM as by Ctrl-C, so that the work of the runtime ends too.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        progress = _print_step if as_json else None
        entry, _ = with_model(app, name, provider, lambda models, *asked: models.pull(*asked), progress)
    except KeyboardInterrupt:
        click.echo(f"Stopped. `{_again(app, name, provider)}` goes on where it was.", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        click.echo(json_text({"id": name, "object": "model", "pulled": True}))
    else:
        of = "" if entry.name == entry.model else f" ({entry.model})"
        click.echo(f"{entry.name}{of} is there.")
    app.warn()


def _again(app: App, name: str, provider: str | None) -> str:
    """The command line that goes on, typed in the same folder, with the options that chose the model."""
    words = ["lf", "models", "pull", name]
    words += ["--provider", provider] if provider else []
    words += ["--config", str(app.config)] if app.config else []
    words += ["--cwd", str(app.cwd)] if app.cwd.resolve() != Path.cwd() else []
    return shlex.join(words)


def _print_step(step: Progress) -> None:
    click.echo(json_text(asdict(step)))
