"""A residency whose hosts are real processes that play a script, and whose store is played by the test."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llamafarm.errors import ModelNotFound
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.messages import LoadProgress, LoadSettings, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.hosts.fleet import Fleet
from llamafarm_universal.server.keep import Keep
from llamafarm_universal.server.lease import Lease
from llamafarm_universal.server.residency import Residency

LIMIT = 100
BOUND = 20.0
FOREVER = Keep(None)


def ref_of(name: str) -> ModelRef:
    """The model of a name: `a`, or `a:lora`, which is `a` with an adapter."""
    base, _, adapter = name.partition(":")
    return ModelRef(base, LoadSettings(adapter=adapter or None))


def name_of(ref: ModelRef) -> str:
    """The name that `ref_of` reads."""
    return f"{ref.id}:{ref.settings.adapter}" if ref.is_adapted else ref.id


@dataclass
class PlayedStore:
    """sizes: bytes of models' weights, else 40. held: models whose files come only once they are let go.

    bases: what adapters change. drafts: what drafts for models. hosts: of models that do not go to the main one.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)
    bases: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)

    async def locate(self, ref: ModelRef, listen: Callable[[LoadProgress], None]) -> LoadPlan:
        name = name_of(ref)
        listen(LoadProgress("", "downloading", f"Downloading {name}", 1, 2))
        try:
            if name in self.held:
                await self.held[name].wait()
        finally:
            self.ended.append(name)
        if name in self.missing:
            raise ModelNotFound(f"There is no model {name}.")
        size, base = self.sizes.get(name, 40), self.bases.get(ref.id)
        plan = LoadPlan(ref, Path(), {}, "text", "cpu", "fp32", 10, weight_bytes=size, base=base)
        plan = replace(plan, host=self.hosts.get(ref.id, ""))
        draft = self.drafts.get(ref.id)
        return plan if draft is None else plan.drafted_by(replace(plan, ref=ModelRef(draft), weight_bytes=0))


@dataclass
class House:
    """A residency with its hosts and its store."""

    residency: Residency
    fleet: Fleet
    store: PlayedStore

    async def lease(self, name: str, **given: Any) -> Lease:
        async with asyncio.timeout(BOUND):
            return await self.residency.lease(ref_of(name), **given)

    async def use(self, name: str) -> None:
        """One request that ends at once."""
        (await self.lease(name)).release()

    def state(self, name: str) -> str | None:
        resident = self.residency.find(ref_of(name))
        return resident.state if resident else None

    def loaded(self) -> list[str]:
        return sorted(name_of(model.ref) for model in self.residency.loaded)


@asynccontextmanager
async def house(*, limit: int = LIMIT, keep: Keep = FOREVER, **given: Any) -> AsyncIterator[House]:
    store = PlayedStore()
    made: list[Residency] = []
    fleet = Fleet(HostOptions(), target="scripted_host:run", died=lambda host, how: made[0].lost(host, how))

    async def limit_of(_: object) -> int:
        return limit

    made.append(Residency(store, fleet, limit=limit_of, keep=keep, **given))
    fleet.start()
    try:
        yield House(made[0], fleet, store)
    finally:
        await made[0].close()
        await fleet.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def kill(home: House) -> None:
    """Kill the host, and wait for the next one."""
    pid = home.fleet.main.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: home.fleet.main.pid != pid)
    await home.fleet.main.wait_ready()
