"""`lf start`, `lf stop`, `lf status` and `lf logs`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.output import STATES, ago, json_option, one_line, print_json, print_table, size
from llamafarm.errors import LlamaFarmError, ServiceError, UsageError

if TYPE_CHECKING:
    from llamafarm.gateway.runtimes import RuntimeStatus
    from llamafarm.providers.base import ModelInfo
    from llamafarm.services.base import Service

CHECK_SECONDS = 5.0
"""How long a runtime may take to answer each question."""


@click.command()
@click.argument("service", required=False)
def start(service: str | None) -> None:
    """Start SERVICE, or all services of this project; one that does not start keeps none of the others from it."""
    from llamafarm.cli.progress import ProgressLine

    failed: dict[str, LlamaFarmError] = {}
    for found in _chosen(current_app(), service):
        try:
            with ProgressLine() as line:
                status = asyncio.run(found.start(line))
        except LlamaFarmError as error:
            failed[found.name] = error
            continue
        click.echo(f"{status.name} is up at {status.address}.")
    if len(failed) == 1:
        raise failed.popitem()[1]
    if failed:
        texts = "\n".join(f"{name}: {error}" for name, error in failed.items())
        raise ServiceError(f"{len(failed)} services did not start.\n{texts}")


@click.command()
@click.argument("service", required=False)
def stop(service: str | None) -> None:
    """Stop SERVICE, or all services of this project, where LlamaFarm started them."""
    for found in _chosen(current_app(), service):
        stopped = asyncio.run(found.stop())
        click.echo(f"{found.name} is stopped." if stopped else f"{found.name} was not running.")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show the runtimes of this project: which are up, since when, and the models in their memory.

    `running` is one that LlamaFarm started. Nothing is started.
    """
    app = current_app()
    found = app.run(lambda farm: farm.health(timeout=CHECK_SECONDS))
    if as_json:
        print_json(found)
    else:
        heads = ["RUNTIME", "STATE", "ADDRESS", "VERSION", "PID", "UP", "IN MEMORY", ""]
        print_table(heads, [_status_cells(row) for row in found])
    app.warn()


def _status_cells(row: RuntimeStatus) -> list[str]:
    return [
        row.name,
        STATES.get(row.state, row.state),
        row.address,
        row.version or "",
        str(row.pid or ""),
        ago(time.time() - row.since) if row.since else "",
        ", ".join(map(_loaded, row.models or ())),
        one_line(row.detail),
    ]


def _loaded(info: ModelInfo) -> str:
    return info.id if info.memory_bytes is None else f"{info.id} ({size(info.memory_bytes)})"


@click.command()
@click.argument("service", required=False)
@click.option("--lines", "-n", default=100, show_default=True, type=click.IntRange(1), help="How many lines to show.")
@click.option("--follow", "-f", is_flag=True, help="Go on showing what is written.")
def logs(service: str | None, lines: int, follow: bool) -> None:
    """Show the end of the log of SERVICE, which may be left out where there is only one."""
    found, *others = _chosen(current_app(), service)
    if others:
        names = ", ".join(one.name for one in (found, *others))
        raise UsageError("There are several services: say whose log to show.", hint=f"Services: {names}.")
    path = asyncio.run(found.status()).log
    if path is None or not path.exists():
        raise UsageError(f"{found.name} has no log yet.", hint=f"`lf start {found.name}` starts it.")
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            click.echo(line, nl=line[-1] != "\n" and not follow)
        if follow:
            _follow(file)


def _services(app: App) -> list[Service]:
    from llamafarm.services.base import services_of

    return services_of(app.project, app.plugins)


def _chosen(app: App, name: str | None) -> list[Service]:
    """The service of that name, or all of that provider, or all. Raises UsageError where there is none.

    `universal-runtime` and `ollama-server` are names that people give to them.
    """
    services = _services(app)
    provider = (name or "").removesuffix("-runtime").removesuffix("-server")
    chosen = [service for service in services if service.name in (name or service.name, provider)]
    chosen = chosen or [service for service in services if service.name.startswith(f"{provider}:")]
    if not chosen:
        names = ", ".join(service.name for service in services) or "none"
        raise UsageError(
            f"There is no service {name!r} in this project." if name else "No model of this project needs a service.",
            hint=f"Services: {names}.",
        )
    return chosen


def _follow(file: TextIO) -> None:
    """Print what is appended after what was read, until Ctrl-C."""
    while True:
        text = file.read()
        if text:
            click.echo(text, nl=False)
        else:
            time.sleep(0.2)
