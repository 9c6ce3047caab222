"""`lf version`."""

from __future__ import annotations

import click

from llamafarm.version import VERSION


@click.command()
def version() -> None:
    """Print the version of LlamaFarm and of Python."""
    import platform

    click.echo(f"lf {VERSION} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
