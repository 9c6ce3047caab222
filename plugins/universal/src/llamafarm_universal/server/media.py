"""The pictures, sounds and films of a request's JSON, put into the spool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from llamafarm.web import request_id_of
from starlette.requests import Request

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.formats import Kind
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.messages import Blob
from llamafarm_universal.server.endpoint import runtime_of
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.inputs import MediaSource
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.upload import folder_of_form, spooled

T = TypeVar("T")
FETCHED_AT_ONCE = 4
"""So many files of one request."""


def body_limit(limit: int, media: MediaSettings, kind: Kind = "picture") -> int:
    """Bytes of a request that may hold files: one of the largest, as base64, beside what any request may have."""
    return limit + (media.file_bytes(kind) + 2) // 3 * 4


@asynccontextmanager
async def media_spooled(
    request: Request, inputs: Sequence[T | MediaSource]
) -> AsyncIterator[tuple[tuple[T | Blob, ...], SpoolFolder | None]]:
    """The inputs with blobs in the place of files, and the folder of these, which is removed at the end.

    There is no folder where there are no files. Raises LlamaFarmError for one that cannot be had.
    """
    without = [item for item in inputs if not isinstance(item, MediaSource)]
    if len(without) == len(inputs):
        yield tuple(without), None
        return
    runtime = runtime_of(request)
    try:
        async with _folder(request, runtime) as folder:
            blobs = iter(await _fetched([item for item in inputs if isinstance(item, MediaSource)], runtime, folder))
            yield tuple(next(blobs) if isinstance(item, MediaSource) else item for item in inputs), folder
    except RequestFailed as failed:
        raise failure(failed.event("")) from None


@asynccontextmanager
async def _folder(request: Request, runtime: Runtime) -> AsyncIterator[SpoolFolder]:
    """The folder of the request: one that came as a form has it already."""
    if (form := folder_of_form(request)) is not None:
        yield form
        return
    async with spooled(runtime.spool, request_id_of(request)) as folder:
        yield folder


async def _fetched(files: Sequence[MediaSource], runtime: Runtime, folder: SpoolFolder) -> list[Blob]:
    turns = asyncio.Semaphore(FETCHED_AT_ONCE)

    async def fetched(file: MediaSource) -> Blob:
        if file.blob is not None:
            return file.blob
        async with turns:
            return await runtime.fetcher.load(file.take(), folder, file.kind, param=file.param)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetched(file)) for file in files]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
