"""`lf init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
def init(path: Path) -> None:
    """Write a commented llamafarm.yaml into the folder PATH (or to the file PATH). It never overwrites."""
    from llamafarm.cli.app import current_app
    from llamafarm.config import write_example

    written = write_example(current_app().cwd / path)
    click.echo(f"Wrote {written}.")
    click.echo('Try it: lf chat "What is LlamaFarm?"')
