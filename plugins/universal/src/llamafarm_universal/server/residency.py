"""Which models are in memory: loaded once however many ask, kept while used, and gone when others need their room.

A load goes through these states: `locating` (its files are found or fetched), `waiting` (for room), `loading`, `ready`.
A model that others wait for too long is `draining`: it finishes what it has, takes nothing new, and makes room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from llamafarm.errors import LlamaFarmError, ModelNotFound

from llamafarm_universal.messages import DeviceName, LoadedModel, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.deletions import Deletions
from llamafarm_universal.server.errors import ChildEnded
from llamafarm_universal.server.hosts.fleet import Fleet
from llamafarm_universal.server.hosts.models import unload
from llamafarm_universal.server.hosts.supervisor import Supervisor
from llamafarm_universal.server.keep import Keep
from llamafarm_universal.server.lease import Lease
from llamafarm_universal.server.loads import put_beside, read
from llamafarm_universal.server.quarantine import Quarantine
from llamafarm_universal.server.resident import Listener, Resident
from llamafarm_universal.server.room import Room

log = logging.getLogger(__name__)

REST_SECONDS = 5.0
"""How long a host stays empty before its memory is looked at."""


class Store(Protocol):
    """Where models' files are found."""

    async def locate(self, ref: ModelRef, listen: Listener) -> LoadPlan:
        """How a model is to be loaded, its files being here by then. Raises LlamaFarmError."""
        ...


class Residency:
    """limits: how many bytes the models of a device may take, in all hosts. max_wait: seconds that a load waits for
    models that are busy before they are drained. keep: how long models stay for which nothing else is said.
    """

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        *,
        limit: Callable[[DeviceName], Awaitable[int]],
        keep: Keep,
        keeps: Callable[[ModelRef], Keep | None] = lambda _: None,
        max_wait: float = 10.0,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._keep = keep
        self._keeps = keeps
        self._room = Room(self, limit, max_wait)
        self._residents: dict[ModelRef, Resident] = {}
        self._changed = asyncio.Event()
        self._asked: dict[ModelRef, Keep] = {}
        self.deletions = Deletions(lambda: self.residents)
        self.quarantine = Quarantine()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def residents(self) -> tuple[Resident, ...]:
        """All models that are in memory or on their way there."""
        return tuple(self._residents.values())

    @property
    def loaded(self) -> tuple[LoadedModel, ...]:
        """What is known of the models in memory."""
        return tuple(resident.model for resident in self._residents.values() if resident.model is not None)

    def find(self, ref: ModelRef) -> Resident | None:
        """What has become of one model."""
        return self._residents.get(ref)

    def ask_to_keep(self, ref: ModelRef, keep: Keep) -> None:
        """Say how long one model stays, now or once it is loaded."""
        self._asked[ref] = keep
        if resident := self._residents.get(ref):
            resident.keep = keep
            self._watch(resident)

    async def lease(self, ref: ModelRef, listen: Listener = lambda _: None) -> Lease:
        """Wait until a model is loaded, and hold it. listen: told how the load goes on. Raises LlamaFarmError."""
        while True:
            resident = self._residents.get(ref) or self._begin(ref)
            if resident.is_draining:
                await self.change()
                continue
            if resident.state != "ready":
                await self._wait_for(resident, listen)
            if self._is_here(resident):  # draining maybe by now: who has waited for it gets it
                self._use(resident)
                return Lease(resident, self._end)

    async def unload(self, ref: ModelRef) -> None:
        """Unload a model once its running requests have ended. Raises ModelNotFound where it is not loaded."""
        resident = self._residents.get(ref)
        if resident is None or resident.model is None:
            raise ModelNotFound(f"`{ref.id}` is not loaded.", status=404, code="model_not_found", param="model")
        await self.drain(resident)

    async def drain(self, resident: Resident) -> None:
        """Unload a model once its requests have ended; nothing new comes to it."""
        resident.state = "draining"
        if resident.draining is None:
            resident.draining = self._spawn(self._unload(resident))
        await asyncio.shield(resident.draining)

    async def change(self) -> None:
        """Wait until something has changed: a model has come, gone, or become idle."""
        await self._changed.wait()

    def lost(self, host: Supervisor, how: str) -> None:
        """A host has died, and its models with it; those that it was loading find out by themselves.

        Where several models were asked, nobody knows which of them it was.
        """
        gone = [resident for resident in self.residents if resident.host is host and resident.model is not None]
        suspects = [resident for resident in gone if resident.active]
        if len(suspects) == 1:
            self.quarantine.strike(suspects[0].ref, how)
        for resident in gone:
            self._forget(resident)
        self._rest(host)

    async def close(self) -> None:
        """End all loads that are under way."""
        for resident in self.residents:
            if resident.reaper is not None:
                resident.reaper.cancel()
            if resident.loading is not None:
                self._tasks.add(resident.loading)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _use(self, resident: Resident) -> None:
        """A request of a model begins; what the model changes stays as long."""
        resident.active += 1
        self._watch(resident)
        if resident.base is not None:
            resident.base.carried += 1
            self._watch(resident.base)

    def _end(self, resident: Resident) -> None:
        """A request of a model has ended: its idle time begins when it was the last."""
        resident.active -= 1
        if self._is_here(resident):  # else its host has died meanwhile
            self.quarantine.clear(resident.ref)
        self._note_idle(resident)
        if resident.base is not None:
            resident.base.carried -= 1
            self._note_idle(resident.base)

    def _note_idle(self, resident: Resident) -> None:
        if resident.active == resident.carried == 0:
            resident.idle_since = _now()
            self._watch(resident)
            self._notify()

    def _begin(self, ref: ModelRef) -> Resident:
        self.deletions.refuse(ref.id)
        self.quarantine.check(ref)
        keep = self._asked.get(ref) or self._keeps(ref) or self._keep
        resident = self._residents[ref] = Resident(ref, keep)
        resident.loading = asyncio.create_task(self._load(resident))
        resident.loading.add_done_callback(_retrieve)
        return resident

    async def _wait_for(self, resident: Resident, listen: Listener) -> None:
        """Wait for a load. Where the last who waits goes away while files are fetched, that ends."""
        assert resident.loading is not None
        resident.listeners.append(listen)
        try:
            await asyncio.shield(resident.loading)
        except LlamaFarmError as error:
            raise error.with_traceback(None) from None
        finally:
            resident.listeners.remove(listen)
            if not resident.listeners and resident.state in ("locating", "waiting"):
                resident.loading.cancel()
                self._forget(resident)  # at once: whoever asks next begins anew
            self._watch(resident)
            if not resident.is_busy:  # its unloading may wait for that
                self._notify()

    async def _load(self, resident: Resident) -> None:
        try:
            resident.plan = plan = await self._store.locate(resident.ref, resident.tell)
            self.deletions.refuse(*plan.models)
            await self._load_base(resident)
            resident.plan = plan = await self._room.make(resident, plan)
            loads = (
                put_beside(resident, plan, self.lease) if resident.ref.is_adapted else read(resident, plan, self._fleet)
            )
            model = await loads
        except BaseException as error:
            if isinstance(error, ChildEnded) and resident.state == "loading":
                self.quarantine.strike(resident.ref, error.how)
            self._forget(resident)
            raise
        self._room.take(plan, model.memory_bytes + plan.working_bytes)
        resident.model = model
        resident.state = "ready"
        resident.idle_since = _now()
        self._watch(resident)
        self._notify()

    async def _load_base(self, resident: Resident) -> None:
        """Have the model loaded that an adapter changes; it may go again while the adapter waits for room."""
        if resident.ref.is_adapted:
            (await self.lease(resident.ref.base, resident.tell)).release()

    async def _unload(self, resident: Resident) -> None:
        while resident.is_busy and self._is_here(resident):
            await self.change()
        if not self._is_here(resident):
            return
        host = resident.host
        assert host is not None
        try:
            await unload(host, resident.ref)
        except LlamaFarmError as error:
            log.warning("%s could not be unloaded: %s", resident.ref.id, error)
        self._forget(resident)
        self._rest(host)

    def _is_here(self, resident: Resident) -> bool:
        return self._residents.get(resident.ref) is resident

    def _watch(self, resident: Resident) -> None:
        """See to it that an idle model is unloaded in time."""
        if resident.reaper is not None:
            resident.reaper.cancel()
            resident.reaper = None
        seconds = resident.keep.seconds
        if resident.is_busy or resident.state != "ready" or resident.keep.pinned or seconds is None:
            return
        loop = asyncio.get_running_loop()
        resident.reaper = loop.call_later(max(resident.idle_since + seconds - _now(), 0), self._reap, resident)

    def _reap(self, resident: Resident) -> None:
        if resident.state == "ready" and not resident.is_busy:
            self._spawn(self.drain(resident))

    def _rest(self, host: Supervisor) -> None:
        """Look after a while whether a host that was emptied has given its memory back."""
        asyncio.get_running_loop().call_later(REST_SECONDS, self._look_at, host)

    def _look_at(self, host: Supervisor) -> None:
        self._spawn(self._give_back(host))

    async def _give_back(self, host: Supervisor) -> None:
        if not any(resident.host is host for resident in self.residents):
            await self._fleet.give_back(host)

    def _forget(self, resident: Resident) -> None:
        if not self._is_here(resident):
            return
        del self._residents[resident.ref]
        self._room.release(resident.ref)
        for adapted in [other for other in self.residents if other.base is resident and other.model is not None]:
            self._forget(adapted)
        if resident.reaper is not None:
            resident.reaper.cancel()
        self._notify()

    def _notify(self) -> None:
        """Wake everybody who waits for a change; each looks for itself what it is."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _retrieve(task: asyncio.Task[None]) -> None:
    """A load that nobody waits for any more may fail without a word."""
    if not task.cancelled():
        task.exception()


def _now() -> float:
    return asyncio.get_running_loop().time()
