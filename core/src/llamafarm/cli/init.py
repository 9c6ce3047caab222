"""`lf init`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from llamafarm.errors import LlamaFarmError


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
def init(path: Path) -> None:
    """Write a commented llamafarm.yaml into the folder PATH (or to the file PATH). It never overwrites."""
    from llamafarm.cli.app import current_app
    from llamafarm.config import load_project, write_example

    app = current_app()
    written = write_example(app.cwd / path)
    click.echo(f"Wrote {written}.")
    try:
        load_project(written, app.plugins).entry()
    except LlamaFarmError as error:
        click.echo(f"Before you try it: {error}")
    click.echo(f'Try it: lf chat "What is LlamaFarm?"{_place(written, app.cwd)}')


def _place(written: Path, cwd: Path) -> str:
    """The option with which a command finds a file that it would not find by itself."""
    from llamafarm.project import FILE_NAMES

    if written.name not in FILE_NAMES:
        return f" --config {shlex.quote(str(written))}"
    return "" if cwd.is_relative_to(written.parent) else f" --cwd {shlex.quote(str(written.parent))}"
