"""The host's main loop: commands in, events out, and one step of each engine with work in between."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

from llamafarm_universal.device import details, this_machine, use_threads
from llamafarm_universal.failure import RequestFailed, explained
from llamafarm_universal.host.models.registry import Registry, Resident, Stage
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.host.prepare import Preparer
from llamafarm_universal.messages import (
    Answer,
    Cancel,
    Command,
    Failed,
    HostRequest,
    Load,
    Loaded,
    LoadedModel,
    LoadProgress,
    Models,
    Ready,
    Run,
    Unload,
    Unloaded,
    Work,
)
from llamafarm_universal.pipe import Outbox, read_commands
from llamafarm_universal.store.download import Transfer

log = logging.getLogger(__name__)


@dataclass
class _Request:
    """A command under way. remaining: how many last events it will still have. resident: the model that works on it."""

    command: HostRequest
    remaining: int
    resident: Resident | None = None


class Host:
    """Everything of it runs on one thread, but the reader of the connection and the registry's own."""

    def __init__(self, connection: Connection, options: HostOptions) -> None:
        self._connection = connection
        self._outbox = Outbox(connection)
        self._inbox: SimpleQueue[Command | Callable[[], None]] = SimpleQueue()
        self._preparer = Preparer(self._inbox.put, options.prepare_seconds)
        self._requests: dict[str, _Request] = {}
        self._working: dict[int, Resident] = {}
        self._registry = Registry(options, self._inbox.put, self._report_models)
        self._options = options

    def serve(self) -> None:
        """Until the connection closes or says Stop, which ends the process."""
        _quieten_libraries()
        use_threads()
        self._outbox.add(self._ready())
        threading.Thread(
            target=read_commands, args=(self._connection, self._inbox.put), name="reader", daemon=True
        ).start()
        while True:
            self._take(wait=not self._working)
            for resident in list(self._working.values()):
                self._step(resident)
                self._take(wait=False)
                self._outbox.flush()

    def _take(self, *, wait: bool) -> None:
        """Do everything in the inbox; wait for something where there is nothing else to do, until something is due."""
        alarms = (self._registry.unload_idle(), self._preparer.give_up_late())
        due = [seconds for seconds in alarms if seconds is not None]
        if wait:
            self._outbox.flush()
        try:
            item = self._inbox.get(wait, max(min(due), 0.01) if due else None)
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
        self._requests[request_id] = _Request(command, command.work.answers if isinstance(command, Run) else 1)
        try:
            self._begin(command, _Asker(self, request_id))
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self.emit(explained(error, "starting a request").event(request_id))

    def _begin(self, command: HostRequest, asker: _Asker) -> None:
        match command:
            case Unload():
                self._registry.unload(command.ref, lambda: self.emit(Unloaded(asker.request_id)))
            case _:
                self._registry.request(command.ref, asker)

    def _cancel(self, request_id: str) -> None:
        request = self._requests.get(request_id)
        if request is None:
            return
        self._registry.forget(request_id)
        if request.resident:
            request.resident.engine.cancel(request_id)
        self._close(request_id)

    def ready(self, request_id: str, resident: Resident) -> None:
        """The model that a request needs is loaded."""
        request = self._requests[request_id]
        if isinstance(request.command, Load):
            self.emit(Loaded(request_id, resident.engine.model))
            return
        assert isinstance(request.command, Run)
        request.resident = resident
        self._registry.begin(resident)
        self._prepare(request.command, resident)

    def _prepare(self, command: Run, resident: Resident) -> None:
        """Have the work prepared in a thread, and given to the engine after that."""
        request_id, work = command.request_id, command.work
        if refusal := _refusal(work, resident.engine.model):
            self._fail(request_id, refusal)
            return
        self._preparer.start(
            partial(resident.engine.prepare, work),
            lambda prepared: self._submit(request_id, work, resident, prepared),
            lambda error: self._fail(request_id, error),
        )

    def _submit(self, request_id: str, work: Work, resident: Resident, prepared: Any) -> None:
        if request_id not in self._requests:  # cancelled in the meantime
            return
        self._working[id(resident)] = resident
        try:
            resident.engine.submit(request_id, work, prepared, self.emit)
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self._fail(request_id, error)

    def _fail(self, request_id: str, error: BaseException) -> None:
        self.emit(explained(error, "reading the request").event(request_id))

    def _step(self, resident: Resident) -> None:
        try:
            more = resident.engine.step()
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            more = False
            self._fail_all(resident, explained(error, f"running `{resident.ref.id}`"))
        if not more:
            self._working.pop(id(resident), None)

    def _fail_all(self, resident: Resident, failure: RequestFailed) -> None:
        """An engine broke its promise and raised: end what it was working on, since nobody knows its state."""
        for request_id in [key for key, request in self._requests.items() if request.resident is resident]:
            resident.engine.cancel(request_id)
            self.emit(failure.event(request_id))

    def emit(self, event: Answer) -> None:
        """Tell an event of a request, unless it was cancelled or has ended."""
        request = self._requests.get(event.request_id)
        if request is None:
            return
        self._outbox.add(event)
        if not event.is_last:
            return
        request.remaining -= 1
        if request.remaining <= 0 or isinstance(event, Failed):
            self._close(event.request_id)

    def _close(self, request_id: str) -> None:
        request = self._requests.pop(request_id)
        if request.resident:
            self._registry.end(request.resident)

    def _report_models(self) -> None:
        self._outbox.add(Models(self._registry.loaded))

    def _ready(self) -> Ready:
        try:
            machine = this_machine(self._options.device, self._options.dtype)
        except RequestFailed as failure:
            self._outbox.add(failure.event(""))
            self._outbox.flush()
            os._exit(1)
        device = machine.devices["auto"]
        return Ready(device, details(device), machine)


class _Asker:
    """A request that waits for its model, or for what becomes of its files."""

    def __init__(self, host: Host, request_id: str) -> None:
        self._host = host
        self.request_id = request_id

    def progress(self, stage: Stage, text: str, transfer: Transfer | None = None) -> None:
        numbers = astuple(transfer) if transfer else ()
        self._host.emit(LoadProgress(self.request_id, stage, text, *numbers))

    def ready(self, resident: Resident) -> None:
        self._host.ready(self.request_id, resident)

    def failed(self, failure: RequestFailed) -> None:
        self._host.emit(failure.event(self.request_id))


def _refusal(work: Work, model: LoadedModel) -> RequestFailed | None:
    """Why a model cannot be given a work, where it cannot."""
    if work.operation in model.operations:
        return None
    able = ", ".join(f"`{operation}`" for operation in sorted(model.operations))
    return RequestFailed(
        "not_supported",
        f"`{model.ref.id}` is loaded for the task `{model.task}`: it cannot do `{work.operation}`, only {able}.",
        hint="Use a model for what you ask; `model_type` says how a model that can do both is loaded.",
        param="model",
    )


def _quieten_libraries() -> None:
    """Progress goes to the server as events; bars and advice on the terminal would go between its log lines.

    Said in the environment, which both libraries read when they are imported: that waits until a model is loaded.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
