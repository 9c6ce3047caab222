"""The files of models as several ask for them: each copy is fetched once, and deleted when nobody writes to it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.safety import HubId, parse_model_id, repository_of
from llamafarm_universal.store.cache import delete
from llamafarm_universal.store.copy import Copy
from llamafarm_universal.store.download import Transfer
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.threads import in_thread

Listen = Callable[[Transfer], None]
"""Told on the event loop how a download goes on."""


class Abandoned(Exception):
    """Nobody waits for this download any more."""


@dataclass(frozen=True)
class Fetched:
    """folder: where the files are. anew: whether anything had to be downloaded."""

    folder: Path
    anew: bool


@dataclass(eq=False)
class _Download:
    """listeners: of those who wait. ended: the thread that writes."""

    ref: ModelRef
    ended: asyncio.Future[Path] = field(init=False)
    listeners: list[Listen] = field(default_factory=list)
    abandoned: bool = False
    anew: bool = False

    def tell(self, transfer: Transfer) -> None:
        for listen in list(self.listeners):
            listen(transfer)


class Downloads:
    """Everything here runs on the event loop except the downloads and deletions themselves, each in a thread."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._shared: dict[Copy, _Download] = {}
        self._writing: set[_Download] = set()
        """All that have not ended, those among them that nobody waits for and that have not noticed it yet."""
        self._closed: set[str] = set()
        """Ids of models that are being deleted."""
        self._kept: Counter[str] = Counter()
        """How many read the files of each model."""

    async def fetch(self, ref: ModelRef, listen: Listen) -> Fetched:
        """Have a model's files here. Those who wait for one copy share its download; the last who leaves ends it.

        Raises RequestFailed.
        """
        if repository_of(ref.id) in self._closed:
            raise _being_deleted(ref.id)
        copy = Copy.of(ref)
        download = self._shared.get(copy) or self._start(copy, ref)
        download.listeners.append(listen)
        try:
            return Fetched(await asyncio.shield(download.ended), download.anew)
        finally:
            download.listeners.remove(listen)
            if not download.listeners:
                download.abandoned = True
                self._forget(copy, download)

    @contextmanager
    def kept(self, model: str) -> Iterator[None]:
        """A model's files are not deleted meanwhile."""
        repository = repository_of(model)
        self._kept[repository] += 1
        try:
            yield
        finally:
            self._kept[repository] -= 1

    async def remove(self, model: str) -> int:
        """Delete a hub model's files. Returns the bytes that they took. Raises RequestFailed."""
        source = parse_model_id(model)
        if isinstance(source, HubId) and source.file:
            raise refused(
                f"`{model}` is one file of `{source.id}`, and models are deleted whole.",
                "model",
                hint=f"Delete `{source.id}`, with all of its files that are here.",
            )
        if not isinstance(source, HubId):
            raise refused(f"`{model}` is a folder that the runtime only reads: it deletes models of the hub.", "model")
        if model in self._closed:
            raise _being_deleted(model)
        if any(copy.model == model for copy in self._shared):
            raise RequestFailed("in_use", f"`{model}` is being downloaded.", hint="Ask again when that has ended.")
        if self._kept[model]:
            raise RequestFailed("in_use", f"`{model}` is being loaded.", hint="Ask again when that has ended.")
        self._closed.add(model)
        return await asyncio.shield(asyncio.create_task(self._delete(model)))

    def _start(self, copy: Copy, ref: ModelRef) -> _Download:
        loop = asyncio.get_running_loop()
        download = self._shared[copy] = _Download(ref)
        self._writing.add(download)

        def report(transfer: Transfer) -> None:
            """In the thread."""
            if download.abandoned:
                raise Abandoned
            download.anew = True
            loop.call_soon_threadsafe(download.tell, transfer)

        def ended(future: asyncio.Future[Path]) -> None:
            future.exception()  # where nobody waits any more, nobody asks for it
            self._writing.discard(download)
            self._forget(copy, download)

        download.ended = in_thread(lambda: locate(ref, report, self._environ))
        download.ended.add_done_callback(ended)
        return download

    def _forget(self, copy: Copy, download: _Download) -> None:
        if self._shared.get(copy) is download:
            del self._shared[copy]

    async def _delete(self, model: str) -> int:
        """Once the downloads that were given up have noticed it."""
        try:
            writers = [download.ended for download in self._writing if repository_of(download.ref.id) == model]
            if writers:
                await asyncio.wait(writers)
            return await in_thread(lambda: delete(model, self._environ))
        finally:
            self._closed.discard(model)


def _being_deleted(model: str) -> RequestFailed:
    return RequestFailed("in_use", f"`{model}` is being deleted.", hint="Ask again in a moment.", param="model")
