"""What all requests share: the store, the engine hosts, the models in them, and how much may be under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamafarm.errors import RateLimited

from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.messages import DeviceName, LoadedModel, Machine, ModelRef, Run, Work
from llamafarm_universal.server.activity import Activity
from llamafarm_universal.server.errors import RETRY_SECONDS
from llamafarm_universal.server.handles import Handles
from llamafarm_universal.server.hosts.entry import ENGINE_HOST
from llamafarm_universal.server.hosts.fleet import Fleet, free_bytes
from llamafarm_universal.server.hosts.running import Running
from llamafarm_universal.server.keep import Keep
from llamafarm_universal.server.residency import Lease, Residency
from llamafarm_universal.server.resident import Listener
from llamafarm_universal.server.settings import Settings
from llamafarm_universal.server.store import STORE, Store


class Runtime:
    """The state of one server. It is made before the event loop runs; `running` starts and ends its processes."""

    def __init__(self, settings: Settings, *, target: str = ENGINE_HOST, store: str = STORE) -> None:
        self.settings = settings
        self.activity = Activity()
        self.handles = Handles(settings.operator)
        self.spool = Spool.open(settings.options.media.spool, settings.options.media)
        self.fleet = Fleet(settings.options, target=target, died=lambda host, how: self.residency.lost(host, how))
        self.store = Store(settings.options, self._machine, target=store)
        self.residency = Residency(
            self.store, self.fleet, limit=self._limit, keep=settings.keep, keeps=settings.operator.keeps.get
        )
        self.under_way = 0
        """Slots that are taken: sequences that run or wait, and other work."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start and end the processes."""
        self.fleet.start()
        self.store.start()
        try:
            yield
        finally:
            await self.residency.close()
            await asyncio.gather(self.fleet.close(), self.store.close())
            await in_thread(self.spool.close)

    def keep(self, ref: ModelRef, keep_alive: float | None, group: str | None) -> None:
        """Say how long a model stays once it is loaded, where somebody has said it."""
        default = self.settings.operator.keeps.get(ref, self.settings.keep)
        self.residency.ask_to_keep(ref, Keep.of(keep_alive, group, default=default))

    async def submit(
        self, ref: ModelRef, works: tuple[Work, ...], *, request_id: str, folder: SpoolFolder | None = None
    ) -> Ticket:
        """Have a model do works, loaded first where it is not. folder: where their large results are written.

        Raises RateLimited where too much is under way, and what loading the model raises.
        """
        slots = sum(work.answers for work in works)
        if self.under_way + slots > self.settings.max_requests and self.under_way:
            raise RateLimited(
                f"The runtime is busy: {self.under_way} answers are running or waiting.",
                hint="Ask again later, or ask for fewer at once.",
                retry_after=RETRY_SECONDS,
            )
        runs = tuple(Run(f"{request_id}-{i}", ref, work, folder=folder) for i, work in enumerate(works))
        ticket = Ticket(self, runs, slots)
        try:
            await ticket.send()
        except BaseException:
            ticket.close()
            raise
        return ticket

    async def load(self, ref: ModelRef, listen: Listener) -> LoadedModel:
        """Have a model loaded. listen: told how that goes on. Raises LlamaFarmError."""
        lease = await self.residency.lease(ref, listen)
        lease.release()
        return lease.model

    async def _machine(self) -> Machine:
        return (await self.fleet.main.wait_ready()).machine

    async def _limit(self, device: DeviceName) -> int:
        limit = self.settings.max_memory
        if isinstance(limit, int):
            return limit
        return int(limit * free_bytes(await self.fleet.main.wait_ready(), device))


class Ticket:
    """Works under way, the lease of their model, and their share of the limit. Whoever holds it closes it."""

    def __init__(self, runtime: Runtime, runs: tuple[Run, ...], slots: int) -> None:
        self.events = Running(runs, repeat=lambda _: self.send(), ended=self._give_back)
        self._runtime = runtime
        self._ref = runs[0].ref
        self._slots = slots
        self._lease: Lease | None = None
        runtime.under_way += slots

    async def send(self) -> None:
        """Ask the model; once more where its host has died before it heard anything. Raises LlamaFarmError."""
        self._give_back_lease()
        self._lease = await self._runtime.residency.lease(self._ref)
        await self._lease.host.send(self.events)

    def close(self) -> None:
        """Give everything back and cancel what has not ended; calling twice does nothing."""
        if self._lease is not None:
            self._lease.host.forget(self.events)
        self._give_back()

    def _give_back(self) -> None:
        """The model has nothing more to do for these, whether or not the client has read it all."""
        self._give_back_lease()
        self._runtime.under_way -= self._slots
        self._slots = 0

    def _give_back_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()
