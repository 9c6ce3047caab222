"""The host's main loop: commands in, events out, and one step of each engine with work in between."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

from llamafarm_universal.device import details, this_machine, use_threads
from llamafarm_universal.engine import Engine, TakesAdapters
from llamafarm_universal.failure import RequestFailed, explained
from llamafarm_universal.host.beside import Beside
from llamafarm_universal.host.builder import Builder
from llamafarm_universal.host.counts import Counts
from llamafarm_universal.host.deadlines import Deadlines, too_late
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.host.prepare import Preparer
from llamafarm_universal.host.refusals import not_loaded, refusal_of
from llamafarm_universal.host.resident import Resident
from llamafarm_universal.host.results import spooled
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.messages import (
    Answer,
    Blob,
    Cancel,
    Command,
    Failed,
    Finished,
    HostRequest,
    Load,
    Loaded,
    Machine,
    ModelRef,
    Preview,
    Ready,
    Run,
    Unload,
    Unloaded,
    Work,
)
from llamafarm_universal.pipe import Outbox, read_commands

log = logging.getLogger(__name__)


@dataclass
class _Request:
    """A command under way.

    remaining: how many last events it will still have. deadline: until when somebody waits. folder: where its large
    results go. resident: the model that works on it.
    """

    remaining: int
    deadline: float = math.inf
    folder: SpoolFolder | None = None
    resident: Resident | None = None


class Host:
    """Everything of it runs on one thread, but reading the connection, building models, preparing and counting."""

    def __init__(self, connection: Connection, options: HostOptions) -> None:
        self._connection = connection
        self._outbox = Outbox(connection)
        self._inbox: SimpleQueue[Command | Callable[[], None]] = SimpleQueue()
        self._preparer = Preparer(self._inbox.put, options.prepare_seconds)
        self._builder = Builder(self._inbox.put)
        self._deadlines = Deadlines()
        self._requests: dict[str, _Request] = {}
        self._residents: dict[ModelRef, Resident] = {}
        self._working: set[Resident] = set()
        self._options = options
        self._counts = Counts(self._outbox.add)
        self._ends = False

    def serve(self) -> None:
        """Until the connection closes or says Stop, which ends the process."""
        use_threads()
        self._outbox.add(self._ready())
        take = Beside(self._residents, self._outbox.send, self._inbox.put).take
        threading.Thread(target=read_commands, args=(self._connection, take), name="reader", daemon=True).start()
        while True:
            self._take(wait=not self._working)
            for resident in list(self._working):
                self._step(resident)
                self._take(wait=False)
                self._outbox.flush()
            self._counts.tell(self._residents.values(), working=bool(self._working))
            if self._ends:  # whoever watches this process starts another one
                self._outbox.flush()
                os._exit(1)

    def _take(self, *, wait: bool) -> None:
        """Do everything in the inbox; wait for something where there is nothing else to do."""
        for request_id in self._deadlines.passed(self._requests):
            self._give_up(request_id)
        due = min(self._preparer.give_up_late(), self._deadlines.seconds_left)
        if wait:
            self._outbox.flush()
        try:
            item = self._inbox.get(wait, None if due == math.inf else max(due, 0.01))
            while True:
                self._do(item)
                item = self._inbox.get_nowait()
        except Empty:
            pass

    def _do(self, item: Command | Callable[[], None]) -> None:
        match item:
            case Cancel(request_id):
                self._cancel(request_id)
            case Load() | Run() | Unload():
                self._start(item)
            case _ if callable(item):
                item()
            case _:
                raise AssertionError(f"{item} is nothing for an engine host")

    def _start(self, command: HostRequest) -> None:
        request_id = command.request_id
        if request_id in self._requests:
            log.error("Request id %s is in use: the second command is ignored.", request_id)
            return
        self._requests[request_id] = request = _request_of(command)
        self._deadlines.note(request.deadline)
        match command:
            case Load():
                self._load(command)
            case Unload():
                self._unload(command)
            case Run():
                self._prepare(command)

    def _load(self, command: Load) -> None:
        plan = command.plan
        if plan.ref.is_adapted:
            self._adapt(command)
            return

        def built(engine: Engine) -> None:
            if command.request_id not in self._requests:  # nobody wants it any more
                Resident(plan.ref, plan.device, engine).close()
                return
            self._residents[plan.ref] = Resident(plan.ref, plan.device, engine)
            self.emit(Loaded(command.request_id, engine.model))

        self._builder.build(command, built, partial(self._fail, command.request_id))

    def _adapt(self, command: Load) -> None:
        """Put an adapter on a model that is loaded."""
        plan = command.plan
        base = self._residents.get(plan.ref.base)
        if base is None:
            self._fail(command.request_id, not_loaded(plan.ref.base))
            return
        engine = base.engine
        assert isinstance(engine, TakesAdapters), f"{plan.engine} takes no adapters"

        def read(adapter: Any) -> None:
            if command.request_id not in self._requests:
                return
            if self._residents.get(base.ref) is not base:  # unloaded in the meantime
                self._fail(command.request_id, not_loaded(base.ref))
                return
            try:
                adapted = engine.adapted(plan, adapter)
            except Exception as error:  # noqa: BLE001 - an adapter that does not fit never ends the host
                self._fail(command.request_id, error)
                return
            self._residents[plan.ref] = Resident(plan.ref, plan.device, adapted, base)
            self.emit(Loaded(command.request_id, adapted.model))

        self._builder.make(command, partial(engine.read_adapter, plan), read, partial(self._fail, command.request_id))

    def _unload(self, command: Unload) -> None:
        resident = self._residents.get(command.ref)
        if resident is None:
            self._fail(command.request_id, not_loaded(command.ref))
            return
        for adapted in [each for each in self._residents.values() if each.base is resident]:
            self._close(adapted)
        self._close(resident)
        self.emit(Unloaded(command.request_id))

    def _close(self, resident: Resident) -> None:
        """Let a model go, with what it is doing."""
        del self._residents[resident.ref]
        self._fail_all(resident, RequestFailed("in_use", f"`{resident.ref.id}` has been unloaded."))
        self._working.discard(resident)
        self._counts.tell_of(resident)
        resident.close()

    def _cancel(self, request_id: str) -> None:
        request = self._requests.pop(request_id, None)
        if request is not None and request.resident is not None:
            request.resident.engine.cancel(request_id)

    def _give_up(self, request_id: str) -> None:
        """End a request whose deadline has passed."""
        resident = self._requests[request_id].resident
        if resident is not None:
            resident.engine.cancel(request_id)
        self._fail(request_id, too_late())

    def _prepare(self, command: Run) -> None:
        """Have the work prepared in a thread, and given to the engine after that."""
        request_id, work = command.request_id, command.work
        resident = self._residents.get(command.ref)
        if resident is None:
            self._fail(request_id, not_loaded(command.ref))
        elif refusal := refusal_of(work, resident.engine.model):
            self._fail(request_id, refusal)
        else:
            self._requests[request_id].resident = resident
            self._preparer.start(
                partial(resident.engine.prepare, work),
                lambda prepared: self._submit(request_id, work, resident, prepared),
                lambda error: self._fail(request_id, error),
            )

    def _submit(self, request_id: str, work: Work, resident: Resident, prepared: Any) -> None:
        if request_id not in self._requests:  # cancelled in the meantime, or its model is gone
            return
        self._working.add(resident.stepping)
        try:
            resident.engine.submit(request_id, work, prepared, self.emit)
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self._fail(request_id, error)

    def _step(self, resident: Resident) -> None:
        if resident not in self._working:  # unloaded in this very turn
            return
        try:
            more = resident.engine.step()
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            more = False
            self._fail_all(resident, error)
        if not more:
            self._working.discard(resident)

    def _fail_all(self, resident: Resident, error: Exception) -> None:
        """End what a model was working on, with or without an adapter.

        It is being unloaded, or its engine has raised what it should not.
        """
        failure = explained(error, f"running `{resident.ref.id}`")
        for request_id, request in list(self._requests.items()):
            if request.resident is None or resident not in (request.resident, request.resident.base):
                continue
            request.resident.engine.cancel(request_id)
            self.emit(failure.event(request_id))

    def _fail(self, request_id: str, error: BaseException) -> None:
        self.emit(explained(error, "reading the request").event(request_id))

    def emit(self, event: Answer) -> None:
        """Tell an event of a request, unless it was cancelled or has ended."""
        request = self._requests.get(event.request_id)
        if request is None:
            return
        if isinstance(event, Finished | Preview) and isinstance(event.value, Blob):
            event = spooled(event, event.value, request.folder)
        self._outbox.add(event)
        self._ends |= isinstance(event, Failed) and event.ends_host
        if event.is_last:
            request.remaining -= 1
            if request.remaining <= 0 or isinstance(event, Failed):
                del self._requests[event.request_id]

    def _ready(self) -> Ready:
        try:
            machine = _measured(this_machine(self._options.device, self._options.dtype))
        except RequestFailed as failure:
            self._outbox.add(failure.event(""))
            self._outbox.flush()
            os._exit(1)
        device = machine.devices["auto"]
        return Ready(device, details(device), machine)


def _measured(machine: Machine) -> Machine:
    """With whether its processor gains by bf16, which no list of its abilities tells."""
    from llamafarm_universal.host.models.linears import bf16_pays

    return replace(machine, bf16=machine.bf16 | {"cpu"}) if bf16_pays() else machine


def _request_of(command: HostRequest) -> _Request:
    if not isinstance(command, Run):
        return _Request(1)
    return _Request(command.work.answers, math.inf if command.deadline is None else command.deadline, command.folder)
