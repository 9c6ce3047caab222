"""`lf models list`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.output import one_line, print_json, print_table
from llamafarm.providers.base import Health
from llamafarm.wire.model import Model

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm

CHECK_SECONDS = 2.0
"""How long one entry may take to say that it is there."""


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the model entries: which is the default, who executes them, and whether that answers now."""
    app = current_app()
    rows, found = app.run(_checked)
    if as_json:
        print_json([_fields(row, health) for row, health in zip(rows, found, strict=True)])
    else:
        _print(rows, found)
    app.warn()


async def _checked(farm: Farm) -> tuple[list[Model], list[Health]]:
    """The entries, and their health, asked side by side."""
    rows = farm.models()
    checks = (farm.gateway.check(farm.project, row["id"], timeout=CHECK_SECONDS) for row in rows)
    return rows, await asyncio.gather(*checks)


def _state(health: Health) -> tuple[str, str]:
    """The state, and what is wrong where something is."""
    if health.ok or health.startable:
        return ("reachable" if health.ok else "starts on first use"), ""
    return "not reachable", one_line(health.detail)


def _fields(row: Model, health: Health) -> dict[str, object]:
    return {**row, "reachable": health.ok, "detail": health.detail, "version": health.version}


def _print(rows: list[Model], found: list[Health]) -> None:
    table = [
        [
            row["id"] + (" (default)" if row.get("default") else ""),
            row.get("provider", ""),
            row.get("model", ""),
            *_state(health),
        ]
        for row, health in zip(rows, found, strict=True)
    ]
    print_table(["NAME", "PROVIDER", "MODEL", "STATE", ""], table)
