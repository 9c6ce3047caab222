"""The runtimes of a project: one row for each endpoint, whoever starts what is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from llamafarm.errors import LlamaFarmError, UpstreamError
from llamafarm.gateway.dispatch import Dispatcher
from llamafarm.plugins.blame import blaming
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import Endpoint, Health, ModelInfo, Provider
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.services.base import ServiceStatus

State = Literal["running", "foreign", "stopped", "reachable", "unreachable", "broken"]
Told = TypeVar("Told")


@dataclass(frozen=True)
class RuntimeStatus:
    """One endpoint of a project.

    name: the service's, else the provider's. state: as of a ServiceStatus; where LlamaFarm starts nothing, `reachable`
    or `unreachable`; `broken`: a model entry that cannot be used. reachable: whether the runtime says that it is well;
    latency: within how many seconds. detail: its words, or what is wrong. since: seconds since 1970. entries: the names
    of the model entries that it serves. models: those in memory now; None where it does not tell.
    """

    name: str
    provider: str
    state: State
    entries: tuple[str, ...]
    address: str = ""
    reachable: bool = False
    latency: float | None = None
    detail: str = ""
    pid: int | None = None
    since: float | None = None
    version: str | None = None
    log: Path | None = None
    models: tuple[ModelInfo, ...] | None = None


async def runtime_statuses(dispatcher: Dispatcher, project: Project, *, seconds: float) -> list[RuntimeStatus]:
    """Every endpoint of the project in the order of its entries, asked side by side; then the broken entries.

    Each question is given up after so many seconds. Starts nothing and never raises.
    """
    rows: dict[object, list[ModelEntry]] = {}
    broken = []
    for entry in project.models:
        try:
            if isinstance(entry, BrokenEntry):
                raise entry.error
            rows.setdefault(_place(dispatcher.endpoint(entry)), []).append(entry)
        except LlamaFarmError as error:
            broken.append(RuntimeStatus(entry.provider, entry.provider, "broken", (entry.name,), detail=str(error)))
    asked = (_status(dispatcher, entries, seconds) for entries in rows.values())
    return [*await asyncio.gather(*asked), *broken]


def by_entry(rows: Iterable[RuntimeStatus]) -> dict[str, RuntimeStatus]:
    """The row of each model entry, by its name."""
    return {name: row for row in rows for name in row.entries}


def _place(endpoint: Endpoint) -> Endpoint:
    """What makes two endpoints one for a reader: not how long who asks is ready to wait."""
    return replace(endpoint, timeouts=Timeouts())


async def _status(dispatcher: Dispatcher, entries: list[ModelEntry], seconds: float) -> RuntimeStatus:
    entry = entries[0]
    names = tuple(one.name for one in entries)
    row = RuntimeStatus(entry.provider, entry.provider, "unreachable", names, dispatcher.endpoint(entry).address)
    try:
        lease = dispatcher.lease(entry)
    except LlamaFarmError as error:
        return replace(row, state="broken", detail=str(error))
    who = f"The provider {entry.provider!r}"
    status, health, models = await asyncio.gather(
        _answer(lease.service.status if lease.service else _nothing, who, seconds),
        _answer(lambda: lease.provider.health(), who, seconds),
        _answer(lambda: _loaded(lease.provider), who, seconds),
    )
    told = None if isinstance(models, LlamaFarmError) else models
    return replace(_state(row, health, status), models=told)


def _state(
    row: RuntimeStatus, health: Health | LlamaFarmError, status: ServiceStatus | LlamaFarmError | None
) -> RuntimeStatus:
    """What the runtime and its service say together."""
    if isinstance(health, LlamaFarmError):
        health = Health(False, str(health))
    row = replace(row, reachable=health.ok, latency=health.latency, detail=health.detail, version=health.version)
    if isinstance(status, LlamaFarmError):
        return replace(row, state="reachable" if health.ok else "unreachable", detail=health.detail or str(status))
    if status is None:
        return replace(row, state="reachable" if health.ok else "unreachable")
    row = replace(row, name=status.name, address=status.address, pid=status.pid, since=status.since, log=status.log)
    if status.state != "stopped":
        return replace(row, state=status.state, version=status.version or health.version)
    if health.ok:
        return replace(row, state="reachable")
    if status.obstacle:
        return replace(row, state="unreachable", detail=status.obstacle)
    return replace(row, state="stopped", detail="", version=status.version)


async def _nothing() -> None:
    """What there is to say of a service where there is none."""


async def _loaded(provider: Provider) -> tuple[ModelInfo, ...] | None:
    """The models in memory; None where the runtime does not tell."""
    found = await provider.list_models()
    if found and all(info.loaded is None for info in found):
        return None
    return tuple(info for info in found if info.loaded)


async def _answer(ask: Callable[[], Awaitable[Told]], who: str, seconds: float) -> Told | LlamaFarmError:
    """The answer, or why there is none."""
    try:
        async with asyncio.timeout(seconds):
            with blaming(who, UpstreamError):
                return await ask()
    except TimeoutError:
        return UpstreamError(f"No answer within {seconds:g} s.")
    except LlamaFarmError as error:
        return error
