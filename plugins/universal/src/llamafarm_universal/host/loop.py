"""The host's main loop: commands in, events out, and one step of each engine with work in between."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue

from llamafarm_universal.device import choose_device, details, use_threads
from llamafarm_universal.host.failure import RequestFailed, explained
from llamafarm_universal.host.messages import (
    Accepted,
    Cancel,
    Command,
    Count,
    Counted,
    Embed,
    Embedded,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    Models,
    Piece,
    Pull,
    Pulled,
    Ready,
    Remove,
    Removed,
    Stop,
    Unload,
    Unloaded,
)
from llamafarm_universal.host.models.download import Transfer
from llamafarm_universal.host.models.files import Files
from llamafarm_universal.host.models.registry import Registry, Resident, Stage
from llamafarm_universal.host.options import HostOptions

log = logging.getLogger(__name__)

Answer = LoadProgress | Loaded | Accepted | Piece | Finished | Counted | Embedded | Unloaded | Pulled | Removed | Failed
Work = Load | Generate | Count | Embed | Unload | Pull | Remove
_NOT_LAST = (LoadProgress, Accepted, Piece)


@dataclass
class _Request:
    """A command under way. remaining: how many last events it will still have. resident: the model that works on it."""

    command: Work
    remaining: int
    resident: Resident | None = None


class Host:
    """Everything of it runs on one thread, but the reader of the connection and the registry's own."""

    def __init__(self, connection: Connection, options: HostOptions) -> None:
        self._connection = connection
        self._inbox: SimpleQueue[Command | Callable[[], None]] = SimpleQueue()
        self._requests: dict[str, _Request] = {}
        self._working: dict[int, Resident] = {}
        self._registry = Registry(options, self._inbox.put, self._report_models)
        self._files = Files(self._registry, self._inbox.put)
        self._options = options

    def serve(self) -> None:
        """Until the connection closes or says Stop; see `_read`, which ends the process."""
        _quieten_libraries()
        use_threads()
        self._send(self._ready())
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while True:
            self._take(wait=not self._working)
            for resident in list(self._working.values()):
                self._step(resident)
                self._take(wait=False)

    def _read(self) -> None:
        """In a thread. The end of the connection or Stop ends the process at once: nobody reads its answers."""
        code = 1
        try:
            while not isinstance(command := self._connection.recv(), Stop):
                self._inbox.put(command)
            code = 0
        except (EOFError, OSError):
            code = 0
        except Exception:
            log.exception("The server sent something that cannot be read")
        finally:
            os._exit(code)

    def _take(self, *, wait: bool) -> None:
        """Do everything in the inbox; wait for something where there is nothing else to do, until a model is due."""
        pause = self._registry.unload_idle()
        try:
            item = self._inbox.get(wait, None if pause is None else max(pause, 0.01))
            while True:
                self._do(item)
                item = self._inbox.get_nowait()
        except Empty:
            pass

    def _do(self, item: Command | Callable[[], None]) -> None:
        match item:
            case Cancel(request_id):
                self._cancel(request_id)
            case Load() | Generate() | Count() | Embed() | Unload() | Pull() | Remove():
                self._start(item)
            case Stop():
                raise AssertionError("the reader ends the process")
            case _:
                item()

    def _start(self, command: Work) -> None:
        request_id = command.request_id
        if request_id in self._requests:
            log.error("Request id %s is in use: the second command is ignored.", request_id)
            return
        self._requests[request_id] = _Request(command, command.n if isinstance(command, Generate) else 1)
        try:
            self._begin(command, _Asker(self, request_id))
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            self.emit(explained(error, "starting a request").event(request_id))

    def _begin(self, command: Work, asker: _Asker) -> None:
        match command:
            case Unload():
                self._registry.unload(command.ref, lambda: self.emit(Unloaded(asker.request_id)))
            case Pull():
                self._files.pull(command.ref, asker)
            case Remove():
                self._files.remove(command.model, asker)
            case _:
                self._registry.request(command.ref, asker)

    def _cancel(self, request_id: str) -> None:
        request = self._requests.get(request_id)
        if request is None:
            return
        self._registry.forget(request_id)
        self._files.forget(request_id)
        if request.resident:
            request.resident.engine.cancel(request_id)
        self._close(request_id)

    def ready(self, request_id: str, resident: Resident) -> None:
        """The model that a request needs is loaded."""
        request = self._requests[request_id]
        if isinstance(request.command, Load):
            self.emit(Loaded(request_id, resident.engine.model))
            return
        assert isinstance(request.command, Generate | Count | Embed)
        request.resident = resident
        self._registry.begin(resident)
        self._working[id(resident)] = resident
        try:
            resident.engine.submit(request.command, self.emit)
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
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
        """Send an event of a request, unless it was cancelled or has ended."""
        request_id = event.request_id
        request = self._requests.get(request_id)
        if request is None:
            return
        self._send(event)
        if isinstance(event, _NOT_LAST):
            return
        request.remaining -= 1
        if request.remaining <= 0 or isinstance(event, Failed):
            self._close(request_id)

    def _close(self, request_id: str) -> None:
        request = self._requests.pop(request_id)
        if request.resident:
            self._registry.end(request.resident)

    def _send(self, event: Event) -> None:
        try:
            self._connection.send(event)
        except OSError:
            os._exit(0)  # the server is gone

    def _report_models(self) -> None:
        self._send(Models(self._registry.loaded))

    def _ready(self) -> Ready:
        try:
            device = choose_device(self._options.device)
        except RequestFailed as failure:
            self._send(failure.event(""))
            os._exit(1)
        return Ready(device, details(device))


class _Asker:
    """A request that waits for its model, or for what becomes of its files."""

    def __init__(self, host: Host, request_id: str) -> None:
        self._host = host
        self.request_id = request_id

    def progress(self, stage: Stage, text: str, transfer: Transfer | None = None) -> None:
        numbers = astuple(transfer) if transfer else ()
        self._host.emit(LoadProgress(self.request_id, stage, text, *numbers))

    def downloading(self, text: str, transfer: Transfer) -> None:
        self.progress("downloading", text, transfer)

    def pulled(self, fetched: bool, size_bytes: int) -> None:
        self._host.emit(Pulled(self.request_id, fetched, size_bytes))

    def removed(self, freed_bytes: int) -> None:
        self._host.emit(Removed(self.request_id, freed_bytes))

    def ready(self, resident: Resident) -> None:
        self._host.ready(self.request_id, resident)

    def failed(self, failure: RequestFailed) -> None:
        self._host.emit(failure.event(self.request_id))


def _quieten_libraries() -> None:
    """Progress goes to the server as events; bars and advice on the terminal would go between its log lines.

    Said in the environment, which both libraries read when they are imported: that waits until a model is loaded.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
