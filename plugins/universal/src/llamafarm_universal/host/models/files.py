"""The files of models on this machine: fetched without loading them, and deleted.

Everything here runs on the host's main thread except the downloads and deletions themselves, each in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llamafarm_universal.failure import RequestFailed, explained, refused
from llamafarm_universal.host.models.cache import delete
from llamafarm_universal.host.models.download import Transfer
from llamafarm_universal.host.models.hub import locate, on_disk
from llamafarm_universal.host.models.registry import Abandoned, Post, Registry, being_deleted
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.safety import HubId, parse_model_id

Copy = tuple[str, str | None, bool]
"""What makes two downloads one: the model, its revision, and whether its code comes too."""


class Puller(Protocol):
    """Who waits for a download. Called on the main thread."""

    request_id: str

    def downloading(self, text: str, transfer: Transfer) -> None: ...

    def pulled(self, fetched: bool, size_bytes: int) -> None: ...

    def failed(self, failure: RequestFailed) -> None: ...


class Remover(Protocol):
    """Who waits for a deletion. Called on the main thread."""

    def removed(self, freed_bytes: int) -> None: ...

    def failed(self, failure: RequestFailed) -> None: ...


@dataclass
class _Download:
    ref: ModelRef
    waiters: list[Puller]
    abandoned: bool = False
    fetched: bool = False


class Files:
    """registry: it has the models that are loaded, and is told of those that go."""

    def __init__(self, registry: Registry, post: Post) -> None:
        self._registry = registry
        self._post = post
        self._downloads: dict[Copy, _Download] = {}

    def pull(self, ref: ModelRef, waiter: Puller) -> None:
        """Have the model's files here; those who wait for one copy share its download. Raises RequestFailed."""
        if ref.id in self._registry.closed:
            raise being_deleted(ref.id)
        copy = _copy(ref)
        if download := self._downloads.get(copy):
            download.waiters.append(waiter)
            return
        download = self._downloads[copy] = _Download(ref, [waiter])
        self._registry.threads.start(ref.id, self._fetch, download)

    def forget(self, request_id: str) -> None:
        """A waiter went away. A download that nobody waits for ends; what has come stays."""
        for copy, download in list(self._downloads.items()):
            download.waiters = [waiter for waiter in download.waiters if waiter.request_id != request_id]
            if not download.waiters:
                download.abandoned = True
                del self._downloads[copy]

    def remove(self, model: str, waiter: Remover) -> None:
        """Unload the model, once its running requests have ended, and delete its files. Raises RequestFailed."""
        if not isinstance(parse_model_id(model), HubId):
            raise refused(f"`{model}` is a folder that the runtime only reads: it deletes models of the hub.", "model")
        if model in self._registry.closed:
            raise being_deleted(model)
        if self._registry.loading(model) or any(name == model for name, _, _ in self._downloads):
            raise RequestFailed(
                "in_use", f"`{model}` is being downloaded or loaded.", hint="Ask again when that has ended."
            )
        self._registry.closed.add(model)
        self._unload_and_delete(model, waiter)

    def _unload_and_delete(self, model: str, waiter: Remover) -> None:
        """Unload what is loaded of the model, one after the other; then delete its files in a thread."""
        for resident in self._registry.residents:
            if resident.ref.id == model:
                self._registry.unload(resident.ref, lambda: self._unload_and_delete(model, waiter))
                return
        writers = self._registry.threads.of(model)
        threading.Thread(target=self._delete, args=(model, waiter, writers), name="remover", daemon=True).start()

    def _delete(self, model: str, waiter: Remover, writers: list[threading.Thread]) -> None:
        """In a thread, once the downloads that were given up have noticed it."""
        for writer in writers:
            writer.join()
        try:
            freed = delete(model)
        except Exception as error:  # noqa: BLE001 - what cannot be deleted never ends the host
            failure = explained(error, f"deleting `{model}`")
            self._post(lambda: self._deleted(model, lambda: waiter.failed(failure)))
        else:
            self._post(lambda: self._deleted(model, lambda: waiter.removed(freed)))

    def _deleted(self, model: str, tell: Callable[[], None]) -> None:
        self._registry.closed.discard(model)
        tell()

    def _fetch(self, download: _Download) -> None:
        """In a thread."""
        ref = download.ref

        def report(transfer: Transfer) -> None:
            if download.abandoned:
                raise Abandoned
            download.fetched = True
            self._post(lambda: _tell(download, transfer))

        try:
            locate(ref, report)
            stored = on_disk(ref.id)
        except Exception as error:  # noqa: BLE001 - a model that is not found never ends the host
            if not download.abandoned:
                failure = explained(error, f"fetching `{ref.id}`")
                self._post(lambda: self._ended(download, lambda waiter: waiter.failed(failure)))
        else:
            size = stored.size_bytes if stored else 0
            self._post(lambda: self._ended(download, lambda waiter: waiter.pulled(download.fetched, size)))

    def _ended(self, download: _Download, tell: Callable[[Puller], None]) -> None:
        if not download.abandoned:
            del self._downloads[_copy(download.ref)]
        for waiter in download.waiters:
            tell(waiter)


def _copy(ref: ModelRef) -> Copy:
    return ref.id, ref.settings.revision, ref.settings.trust_remote_code


def _tell(download: _Download, transfer: Transfer) -> None:
    for waiter in download.waiters:
        waiter.downloading(f"Downloading {download.ref.id}", transfer)
