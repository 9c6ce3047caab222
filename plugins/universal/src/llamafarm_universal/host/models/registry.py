"""The models of a host: loaded once however many ask, kept while used, evicted or unloaded when idle.

Everything here runs on the host's main thread except finding (a thread for each model, so that a download delays
nobody) and building (one thread, one model at a time: transformers changes global state while it builds a module).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import monotonic
from typing import Literal, Protocol

from llamafarm_universal.catalogue import spec_of
from llamafarm_universal.device import release_memory, this_machine
from llamafarm_universal.engine import Engine
from llamafarm_universal.failure import RequestFailed, explained
from llamafarm_universal.host.models.memory import Budget
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.messages import LoadedModel, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.store.download import Transfer
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import make_plan

Post = Callable[[Callable[[], None]], None]
"""Runs a function on the main thread."""
Stage = Literal["downloading", "loading"]


class Waiter(Protocol):
    """Who waits for a model. Called on the main thread."""

    request_id: str

    def progress(self, stage: Stage, text: str, transfer: Transfer | None = None) -> None: ...

    def ready(self, resident: Resident) -> None: ...

    def failed(self, failure: RequestFailed) -> None: ...


@dataclass
class Resident:
    """A loaded model. active: its requests. idle_since: when the last of them ended (monotonic seconds)."""

    ref: ModelRef
    plan: LoadPlan
    engine: Engine
    active: int = 0
    idle_since: float = 0.0
    when_idle: list[Callable[[], None]] = field(default_factory=list)


@dataclass
class _Load:
    ref: ModelRef
    waiters: list[Waiter]
    plan: LoadPlan | None = None
    abandoned: bool = False


class Abandoned(Exception):
    """Nobody waits for this download any more."""


class Registry:
    """post: runs a function on the main thread. changed: told whenever a model has come or gone."""

    def __init__(self, options: HostOptions, post: Post, changed: Callable[[], None]) -> None:
        self._options = options
        self._post = post
        self._changed = changed
        self._residents: dict[ModelRef, Resident] = {}
        self._loads: dict[ModelRef, _Load] = {}
        self._blocked: list[_Load] = []  # they wait for memory that busy models hold
        self._budget = Budget(options.memory_budget_bytes)
        self._to_build: SimpleQueue[_Load] = SimpleQueue()
        threading.Thread(target=self._build_all, name="builder", daemon=True).start()

    @property
    def residents(self) -> tuple[Resident, ...]:
        return tuple(self._residents.values())

    @property
    def loaded(self) -> tuple[LoadedModel, ...]:
        return tuple(resident.engine.model for resident in self._residents.values())

    def request(self, ref: ModelRef, waiter: Waiter) -> None:
        """Call the waiter's `ready` or `failed`: at once where the model is loaded, else when it has been."""
        if resident := self._residents.get(ref):
            resident.idle_since = monotonic()  # asked for: its idle time begins anew
            waiter.ready(resident)
        elif load := self._loads.get(ref):
            load.waiters.append(waiter)
        else:
            load = self._loads[ref] = _Load(ref, [waiter])
            threading.Thread(target=self._find, args=(load,), name="finder", daemon=True).start()

    def forget(self, request_id: str) -> None:
        """A waiter went away. A download that nobody waits for ends; a load goes on, and the model stays a while."""
        for load in list(self._loads.values()):
            load.waiters = [waiter for waiter in load.waiters if waiter.request_id != request_id]
            if not load.waiters and load.plan is None:
                load.abandoned = True
                del self._loads[load.ref]

    def begin(self, resident: Resident) -> None:
        resident.active += 1

    def end(self, resident: Resident) -> None:
        """A request of this model has ended: its idle time begins when it was the last."""
        resident.active -= 1
        if resident.active:
            return
        resident.idle_since = monotonic()
        if resident.when_idle:
            self._unload(resident)
        self._retry_blocked()

    def unload(self, ref: ModelRef, done: Callable[[], None]) -> None:
        """Unload a model once its running requests have ended. Raises RequestFailed where it is not loaded."""
        resident = self._residents.get(ref)
        if resident is None:
            raise RequestFailed("model_not_found", f"`{ref.id}` is not loaded.", param="model")
        resident.when_idle.append(done)
        if not resident.active:
            self._unload(resident)

    def unload_idle(self) -> float | None:
        """Unload what has been idle for long enough. Returns the seconds until the next model will have been."""
        limit = self._options.idle_unload_seconds
        if not limit:
            return None
        now = monotonic()
        for resident in self._idle():
            if now - resident.idle_since >= limit:
                self._unload(resident)
        return min((resident.idle_since + limit - now for resident in self._idle()), default=None)

    def _idle(self) -> list[Resident]:
        """Models that may go, the least recently used first."""
        idle = [item for item in self.residents if not item.active and item.ref.id not in self._options.keep]
        return sorted(idle, key=lambda item: item.idle_since)

    def _unload(self, resident: Resident) -> None:
        del self._residents[resident.ref]
        resident.engine.close()
        self._budget.release(resident.ref)
        release_memory(resident.plan.device)
        self._changed()
        for done in resident.when_idle:
            done()

    def _find(self, load: _Load) -> None:
        """In a thread: where the model is, fetching it, and what it weighs."""

        def report(transfer: Transfer) -> None:
            if load.abandoned:
                raise Abandoned
            self._post(lambda: _tell(load, "downloading", f"Downloading {load.ref.id}", transfer))

        try:
            folder = locate(load.ref, report)
            plan = make_plan(load.ref, folder, this_machine(self._options.device, self._options.dtype), self._options)
        except Exception as error:  # noqa: BLE001 - a model that is not found never ends the host
            failure = explained(error, f"looking for `{load.ref.id}`") if not load.abandoned else _gone(load)
            self._post(lambda: self._failed(load, failure))
        else:
            self._post(lambda: self._admit(load, plan))

    def _admit(self, load: _Load, plan: LoadPlan) -> None:
        """Make room for a model and have it built; wait where only busy models could make room."""
        if load.abandoned:
            return
        load.plan = plan
        try:
            fits = self._make_room(plan)
        except RequestFailed as failure:
            self._failed(load, failure)
            return
        if fits:
            self._budget.reserve(load.ref, plan.device, plan.memory_bytes)
            _tell(load, "loading", f"Loading {load.ref.id}")
            self._to_build.put(load)
        else:
            _tell(load, "loading", f"{load.ref.id} waits for memory that busy models hold")
            self._blocked.append(load)

    def _make_room(self, plan: LoadPlan) -> bool:
        """Evict idle models, the least recently used first, until the plan fits. False: it will once others end."""
        self._budget.check(plan)
        for resident in self._idle():
            if self._budget.fits(plan):
                break
            if resident.plan.device == plan.device:
                self._unload(resident)
        if self._budget.fits(plan):
            return True
        if any(resident.active for resident in self.residents) or self._budget.reserves(set(self._residents)):
            return False
        raise self._budget.too_full(plan)

    def _retry_blocked(self) -> None:
        blocked, self._blocked = self._blocked, []
        for load in blocked:
            assert load.plan is not None
            if load.waiters:
                self._admit(load, load.plan)
            else:
                del self._loads[load.ref]

    def _build_all(self) -> None:
        """In the builder's thread."""
        while True:
            self._build(self._to_build.get())

    def _build(self, load: _Load) -> None:
        assert load.plan is not None
        try:
            plan = load.plan
            engine = spec_of(plan.engine, plan.task).load(plan, plan.working_bytes)
        except Exception as error:  # noqa: BLE001 - a model that does not load never ends the host
            failure = explained(error, f"loading `{load.ref.id}`")
            self._post(lambda: self._failed(load, failure))
        else:
            self._post(lambda: self._built(load, engine))

    def _built(self, load: _Load, engine: Engine) -> None:
        assert load.plan is not None
        del self._loads[load.ref]
        self._budget.reserve(load.ref, load.plan.device, engine.model.memory_bytes)
        resident = Resident(load.ref, load.plan, engine, idle_since=monotonic())
        self._residents[load.ref] = resident
        self._changed()
        for waiter in load.waiters:
            waiter.ready(resident)
        self._retry_blocked()

    def _failed(self, load: _Load, failure: RequestFailed) -> None:
        if self._loads.get(load.ref) is load:  # else it was abandoned, and another load of the model may be under way
            del self._loads[load.ref]
            self._budget.release(load.ref)
        if load.plan is not None:
            release_memory(load.plan.device)
        for waiter in load.waiters:
            waiter.failed(failure)
        self._retry_blocked()


def _tell(load: _Load, stage: Stage, text: str, transfer: Transfer | None = None) -> None:
    for waiter in load.waiters:
        waiter.progress(stage, text, transfer)


def _gone(load: _Load) -> RequestFailed:
    return RequestFailed("internal", f"Nobody waits for `{load.ref.id}` any more.")
