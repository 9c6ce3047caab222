"""The store's event loop: commands in, events out, each command a task of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import astuple, dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from llamafarm_universal.failure import RequestFailed, about, explained
from llamafarm_universal.messages import (
    Cancel,
    Command,
    Describe,
    Described,
    Event,
    Inspect,
    Inspected,
    LoadProgress,
    Locate,
    Located,
    ModelRef,
    Pull,
    Pulled,
    Ready,
    Remove,
    Removed,
    StoreAnswer,
    StoreRequest,
)
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.pipe import Outbox, read_commands
from llamafarm_universal.store.adapters import base_of
from llamafarm_universal.store.beside import adapter_of
from llamafarm_universal.store.download import Transfer
from llamafarm_universal.store.downloads import Downloads, Fetched, Listen
from llamafarm_universal.store.drafts import draft_of
from llamafarm_universal.store.hub import on_disk, on_disk_of_all
from llamafarm_universal.store.inspect import inspect_all
from llamafarm_universal.store.plan import make_plan, read_config
from llamafarm_universal.store.threads import in_thread
from llamafarm_universal.store.vocoders import about_vocoder, vocoder_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Files:
    """folder: of the whole model. adapter: of what changes it, base: the id of the whole model then.

    anew: whether anything had to be downloaded. draft: the folder of its draft model. beside: of the adapter that its
    settings name. vocoder: of what makes sound of its spectra, where that is a model of its own.
    """

    folder: Path
    anew: bool
    adapter: Path | None = None
    base: str | None = None
    draft: Path | None = None
    beside: Path | None = None
    vocoder: Path | None = None


class Store:
    """limits: what engines may do at once, which plans carry to them."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._outbox = Outbox(connection)
        self._downloads = Downloads()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Until the connection closes or says Stop, which ends the process."""
        loop = asyncio.get_running_loop()
        self._send(Ready(""))

        def take(command: Command) -> None:
            loop.call_soon_threadsafe(self._take, command)

        threading.Thread(target=read_commands, args=(self._connection, take), name="reader", daemon=True).start()
        await loop.create_future()

    def _take(self, command: Command) -> None:
        match command:
            case Cancel(request_id):
                if task := self._tasks.pop(request_id, None):
                    task.cancel()
            case Locate() | Pull() | Describe() | Inspect() | Remove():
                self._start(command)
            case _:
                raise AssertionError(f"{command} is nothing for a store")

    def _start(self, command: StoreRequest) -> None:
        if command.request_id in self._tasks:
            log.error("Request id %s is in use: the second command is ignored.", command.request_id)
            return
        self._tasks[command.request_id] = asyncio.create_task(self._answer(command))

    async def _answer(self, command: StoreRequest) -> None:
        try:
            answer = await self._do(command)
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the store
            answer = explained(error, _doing(command)).event(command.request_id)
        self._tell(answer)
        self._tasks.pop(command.request_id, None)

    async def _do(self, command: StoreRequest) -> StoreAnswer:
        request_id = command.request_id
        match command:
            case Locate(_, ref, machine):
                async with self._files(request_id, ref) as files:
                    others = {"adapter": files.adapter, "draft": files.draft, "beside": files.beside}
                    others |= {"vocoder": files.vocoder}
                    plan = partial(make_plan, ref, files.folder, machine, self._limits, **others)
                    return Located(request_id, replace(await in_thread(plan), base=files.base))
            case Pull(_, ref):
                async with self._files(request_id, ref) as files:
                    stored = await in_thread(lambda: on_disk(ref.id))
                    return Pulled(request_id, files.anew, stored.size_bytes if stored else 0)
            case Describe(_, models):
                return Described(request_id, await in_thread(lambda: on_disk_of_all(models)))
            case Inspect(_, refs):
                return Inspected(request_id, await in_thread(lambda: inspect_all(refs)))
            case Remove(_, model):
                return Removed(request_id, await self._downloads.remove(model))

    @asynccontextmanager
    async def _files(self, request_id: str, ref: ModelRef) -> AsyncIterator[_Files]:
        """A model's files, those of its base model where it is an adapter, of its draft model, and of its adapter.

        Nobody deletes them meanwhile.
        """
        with ExitStack() as kept:

            async def fetch(model: ModelRef) -> Fetched:
                kept.enter_context(self._downloads.kept(model.id))
                return await self._downloads.fetch(model, self._listener(request_id, model.id))

            own = await fetch(ref)
            base = await in_thread(lambda: base_of(ref, own.folder))
            files = _Files(own.folder, own.anew)
            if base is not None:
                whole = await fetch(base)
                files = _Files(whole.folder, own.anew or whole.anew, own.folder, base.id)
            if (draft := draft_of(ref)) is not None:
                with about("draft_model"):
                    drafting = await fetch(draft)
                files = replace(files, anew=files.anew or drafting.anew, draft=drafting.folder)
            vocoder = await in_thread(lambda: vocoder_of(ref, files.folder, _config(ref, files.folder)))
            if vocoder is not None:
                with about_vocoder():
                    voicing = await fetch(vocoder)
                files = replace(files, anew=files.anew or voicing.anew, vocoder=voicing.folder)
            if (adapter := adapter_of(ref)) is not None:
                with about("adapter"):
                    changing = await fetch(adapter)
                files = replace(files, anew=files.anew or changing.anew, beside=changing.folder)
            yield files

    def _listener(self, request_id: str, model: str) -> Listen:
        def listen(transfer: Transfer) -> None:
            self._tell(LoadProgress(request_id, "downloading", f"Downloading {model}", *astuple(transfer)))

        return listen

    def _tell(self, answer: StoreAnswer) -> None:
        """Tell an event of a request, unless it was cancelled."""
        if answer.request_id in self._tasks:
            self._send(answer)

    def _send(self, event: Event) -> None:
        """Keep an event until the end of this turn of the event loop."""
        self._outbox.add(event)
        asyncio.get_running_loop().call_soon(self._outbox.flush)


def _config(ref: ModelRef, folder: Path) -> Mapping[str, Any]:
    """What a model's files say; nothing of a folder that holds no model, which is told where it is to be loaded."""
    try:
        return read_config(folder, ref.id)
    except RequestFailed:
        return {}


def _doing(command: StoreRequest) -> str:
    match command:
        case Locate(_, ref, _):
            return f"looking for `{ref.id}`"
        case Pull(_, ref):
            return f"fetching `{ref.id}`"
        case Describe() | Inspect():
            return "reading what is on the disk"
        case Remove(_, model):
            return f"deleting `{model}`"
