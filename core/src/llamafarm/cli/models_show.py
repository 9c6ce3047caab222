"""`lf models show`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.models import provider_option, with_model
from llamafarm.cli.output import plain, print_json, size
from llamafarm.gateway.models import info_fields
from llamafarm.providers.base import ModelInfo


@click.command()
@click.argument("name")
@provider_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, provider: str | None, as_json: bool) -> None:
    """Show what the runtime of NAME says of it: capabilities, context length, size, memory. A service is started."""
    app = current_app()
    entry, info = with_model(app, name, provider, lambda models, *asked: models.show(*asked))
    if as_json:
        print_json({"name": entry.name, "provider": entry.provider, "model": entry.model, **info_fields(info)})
    else:
        rows = [("name", entry.name), ("provider", entry.provider), ("model", entry.model), *_rows(info)]
        width = max(len(key) for key, _ in rows) + 2
        for key, text in rows:
            click.echo(f"{plain(key)}:".ljust(width) + plain(text))
    app.warn()


def _rows(info: ModelInfo) -> Iterator[tuple[str, str]]:
    """Each fact with its name; what the runtime does not tell is `unknown`."""
    length = info.context_length
    yield "capabilities", "unknown" if info.features is None else ", ".join(sorted(info.features)) or "none"
    yield "context length", "unknown" if length is None else f"{length} tokens"
    yield "size", _size(info.size_bytes)
    yield "loaded", _yes(info.loaded)
    yield "memory", "none" if info.loaded is False and info.memory_bytes is None else _size(info.memory_bytes)
    yield "downloaded", _yes(info.downloaded)
    said = {field.name for field in fields(info)}  # some runtimes say these again in their own answer
    yield from ((key, _text(value)) for key, value in info.details.items() if key not in said)


def _size(count: int | None) -> str:
    return "unknown" if count is None else size(count)


def _yes(said: bool | None) -> str:
    return "unknown" if said is None else "yes" if said else "no"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
