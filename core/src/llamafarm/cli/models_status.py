"""`lf models status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.models import STATUS_SECONDS, provider_option, with_model
from llamafarm.cli.output import one_line, print_json, print_table, size
from llamafarm.gateway.models import ModelState, info_fields

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm
    from llamafarm.project import BrokenEntry
    from llamafarm.providers.entry import ModelEntry

    Entry = ModelEntry | BrokenEntry

WORDS = {"stopped": "starts on first use", "unreachable": "not reachable"}
"""What the states are called for people, where that is not their own name."""


@click.command()
@click.argument("name", required=False)
@provider_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str | None, provider: str | None, as_json: bool) -> None:
    """Show which models of this project are there and which are in memory, or only NAME. Nothing is started.

    With NAME, exit code 0 where its runtime has it and 1 where not.
    """
    app = current_app()
    if provider and not name:
        raise click.UsageError("--provider says whose model NAME is: give a NAME too.")
    rows: Sequence[tuple[Entry, ModelState]]
    if name:
        rows = [with_model(app, name, provider, lambda models, entry, _: models.state(entry, timeout=STATUS_SECONDS))]
    else:
        rows = app.run(_states)
    if as_json:
        found = [_fields(entry, state) for entry, state in rows]
        print_json(found[0] if name else found)
    else:
        print_table(["NAME", "PROVIDER", "MODEL", "STATE", "MEMORY", "CONTEXT", ""], [_cells(*row) for row in rows])
    app.warn()
    if name and not rows[0][1].there:
        raise click.exceptions.Exit(1)


async def _states(farm: Farm) -> list[tuple[Entry, ModelState]]:
    states = await farm.gateway.runtime_models.states(farm.project, timeout=STATUS_SECONDS)
    return list(zip(farm.project.models, states, strict=True))


def _fields(entry: Entry, state: ModelState) -> dict[str, Any]:
    info = info_fields(state.info) if state.info else {}
    about = {"name": entry.name, "provider": entry.provider, "model": entry.model}
    return {**about, **info, "state": state.state, "detail": state.detail}


def _cells(entry: Entry, state: ModelState) -> list[str]:
    info = state.info
    memory = size(info.memory_bytes) if info and info.memory_bytes is not None else ""
    length = str(info.context_length) if info and info.context_length is not None else ""
    detail = one_line(state.detail)
    return [entry.name, entry.provider, entry.model, WORDS.get(state.state, state.state), memory, length, detail]
