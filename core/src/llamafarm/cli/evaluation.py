"""`lf eval`: how often models are right, by commands of plugins."""

from __future__ import annotations

import click

from llamafarm.cli.lazy import LazyGroup


@click.group(cls=LazyGroup, name="eval", prefix="eval.")
def evaluate() -> None:
    """How often models are right. Plugins bring the commands, the official ones `classifier` and `rag`."""
