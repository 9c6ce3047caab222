"""What all requests share: the store, the engine hosts, the models in them, and the queues before these."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from llamafarm.errors import ProviderTimeout

from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.media.urls import Fetcher
from llamafarm_universal.messages import DeviceName, LoadedModel, Machine, ModelRef, Run, Work
from llamafarm_universal.server.activity import Activity
from llamafarm_universal.server.bodies import Bodies
from llamafarm_universal.server.caller import Caller
from llamafarm_universal.server.handles import Handles
from llamafarm_universal.server.hosts.entry import ENGINE_HOST
from llamafarm_universal.server.hosts.fleet import Fleet, free_bytes
from llamafarm_universal.server.hosts.running import Running
from llamafarm_universal.server.installation import Installation
from llamafarm_universal.server.keep import Keep
from llamafarm_universal.server.kept_files import KeptFiles
from llamafarm_universal.server.lease import Lease
from llamafarm_universal.server.queue import Load, Place, Queue
from llamafarm_universal.server.residency import Residency
from llamafarm_universal.server.resident import Listener
from llamafarm_universal.server.settings import Settings
from llamafarm_universal.server.statistics import Statistics
from llamafarm_universal.server.store import STORE, Store


class Runtime:
    """The state of one server. It is made before the event loop runs; `running` starts and ends its processes."""

    def __init__(self, settings: Settings, *, target: str = ENGINE_HOST, store: str = STORE) -> None:
        self.settings = settings
        self.activity = Activity()
        self.installation = Installation()
        self.handles = Handles(settings.operator)
        self.spool = Spool.open(settings.options.media.spool, settings.options.media)
        self.files = KeptFiles(self.spool, seconds=settings.file_seconds, most=settings.files_bytes)
        self.fetcher = Fetcher(settings.options.media)
        self.statistics = Statistics()
        self.fleet = Fleet(
            settings.options,
            target=target,
            died=lambda host, how: self.residency.lost(host, how),
            told=self.statistics.add,
        )
        self.store = Store(settings.options, self._machine, target=store)
        self.residency = Residency(
            self.store, self.fleet, limit=self._limit, keep=settings.keep, keeps=settings.operator.keeps.get
        )
        self.queue: Queue[tuple[ModelRef, str]] = Queue(settings.max_requests)
        """A line for each model and operation: those of its adapters among them."""
        self.bodies = Bodies(settings.max_held_bytes)
        self.requests: Counter[tuple[str, int]] = Counter()
        """How many have ended, by the path of their route and their status."""

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
        self.residency.ask_to_keep(ref.base, Keep.of(keep_alive, group, default=default))
        if ref.is_adapted:  # it is in no group: what it changes is
            self.residency.ask_to_keep(ref, replace(Keep.of(keep_alive, None, default=default), group=None))

    async def submit(
        self, ref: ModelRef, works: tuple[Work, ...], caller: Caller, *, folder: SpoolFolder | None = None
    ) -> Ticket:
        """Have a model do works, once it is their turn and the model is loaded. folder: for large results.

        Raises RateLimited where too many wait for the model, ProviderTimeout at the caller's deadline, and what loading
        the model raises.
        """
        place = await self.queue.enter(
            (ref.base, works[0].operation),
            capacity=self.settings.options.at_once(works[0].operation, self._device_of(ref)),
            places=sum(work.answers for work in works),
            tenant=caller.tenant,
            deadline=caller.deadline,
        )
        runs = tuple(
            Run(f"{caller.request_id}-{i}", ref, work, caller.deadline, caller.tenant, folder)
            for i, work in enumerate(works)
        )
        ticket = Ticket(self.residency, runs, place)
        try:
            await ticket.send()
        except BaseException:
            ticket.close()
            raise
        return ticket

    def _device_of(self, ref: ModelRef) -> str:
        """Where a model is; as long as nobody knows, where least is done at once."""
        resident = self.residency.find(ref.base)
        return resident.model.device if resident and resident.model else "cpu"

    def load_of(self, ref: ModelRef) -> Load:
        """How busy the queues of a model are together."""
        loads = [load for (model, _), load in self.queue if model == ref.base]
        return Load(sum(load.running for load in loads), sum(load.waiting for load in loads))

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
    """Works under way, the lease of their model, and their place in its queue. Whoever holds it closes it."""

    def __init__(self, residency: Residency, runs: tuple[Run, ...], place: Place) -> None:
        self.events = Running(runs, repeat=lambda _: self.send(), ended=self._give_back)
        self._residency = residency
        self._run = runs[0]
        self._place = place
        self._lease: Lease | None = None

    async def send(self) -> None:
        """Ask the model; once more where its host has died before it heard anything. Raises LlamaFarmError."""
        self._give_back_lease()
        try:
            async with asyncio.timeout_at(self._run.deadline):
                self._lease = await self._residency.lease(self._run.ref)
        except TimeoutError:
            raise _not_loaded_in_time() from None
        await self._lease.host.send(self.events)

    def close(self) -> None:
        """Give everything back and cancel what has not ended; calling twice does nothing."""
        if self._lease is not None:
            self._lease.host.forget(self.events)
        self._give_back()

    def _give_back(self) -> None:
        """The model has nothing more to do for these, whether or not the client has read it all."""
        self._give_back_lease()
        self._place.release()

    def _give_back_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


def _not_loaded_in_time() -> ProviderTimeout:
    return ProviderTimeout(
        "The model was not loaded by the deadline of the request; loading it goes on where others wait for it.",
        hint="Ask again later, or allow more time (`timeouts` of the model entry).",
        code="deadline_passed",
    )
