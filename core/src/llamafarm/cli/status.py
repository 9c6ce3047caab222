"""`lf status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import ago, json_option, one_line, print_json, print_table, size

if TYPE_CHECKING:
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.providers.base import ModelInfo

CHECK_SECONDS = 5.0
"""How long a runtime may take to answer each question."""
WORDS = {
    "foreign": "started elsewhere",
    "stopped": "starts on first use",
    "unreachable": "not reachable",
}
"""What the states are called for people, where that is not their own name."""


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show the runtimes of this project: which are up, since when, and the models in their memory.

    `running` is one that LlamaFarm started. Nothing is started.
    """
    app = current_app()
    found = app.run(lambda farm: farm.health(timeout=CHECK_SECONDS))
    if as_json:
        print_json([_fields(row) for row in found])
    else:
        heads = ["RUNTIME", "STATE", "ADDRESS", "VERSION", "PID", "UP", "IN MEMORY", ""]
        print_table(heads, [_cells(row) for row in found])
    app.warn()


def _fields(row: RuntimeStatus) -> dict[str, Any]:
    from dataclasses import asdict

    from llamafarm.gateway.models import info_fields

    models = None if row.models is None else [info_fields(info) for info in row.models]
    return {**asdict(row), "log": str(row.log) if row.log else None, "models": models}


def _cells(row: RuntimeStatus) -> list[str]:
    return [
        row.name,
        WORDS.get(row.state, row.state),
        row.address,
        row.version or "",
        str(row.pid or ""),
        ago(time.time() - row.since) if row.since else "",
        ", ".join(map(_model, row.models or ())),
        one_line(row.detail),
    ]


def _model(info: ModelInfo) -> str:
    return info.id if info.memory_bytes is None else f"{info.id} ({size(info.memory_bytes)})"
