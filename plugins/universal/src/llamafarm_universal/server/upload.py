"""Requests that carry files: what comes goes to the spool piece by piece, and the files go with the request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from llamafarm.web import BodyEndpoint, body_pieces, check_type, request_id_of
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.form import FormLimits, Part, SpooledForm, boundary_of
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.server.endpoint import runtime_of
from llamafarm_universal.server.errors import failure

_FOLDER = "llamafarm.folder"
"""Where a request's scope holds its folder."""
PIECE_BYTES = 256 * 1024
"""What is handed to a thread at once: enough that the handing over costs little."""


@dataclass(frozen=True)
class Upload:
    """A form that has come. parts: texts and files by their names, in their order. folder: of this request."""

    parts: list[tuple[str, Part]]
    folder: SpoolFolder


class UploadEndpoint:
    """An ASGI application that gives `handler` the form and sends its answer, for as long as the client is there.

    The files lie in the spool until the answer has been sent, whatever becomes of it.
    """

    def __init__(
        self, handler: Callable[[Request, Upload], Awaitable[Response]], spool: Spool, limits: FormLimits
    ) -> None:
        self._handler = handler
        self._spool = spool
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with spooled(self._spool, request_id_of(Request(scope))) as folder:
                scope[_FOLDER] = folder
                read = partial(read_upload, folder=folder, limits=self._limits)
                await BodyEndpoint(self._handler, read)(scope, receive, send)
        except RequestFailed as error:
            raise failure(error.event("")) from None


class MediaEndpoint:
    """An ASGI application for what is asked as JSON or as a form with files: the type of the body decides."""

    def __init__(self, of_json: ASGIApp, of_form: ASGIApp) -> None:
        self._of_json = of_json
        self._of_form = of_form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        media_type = Headers(scope=scope).get("content-type", "").lower()
        app = self._of_form if media_type.startswith("multipart/form-data") else self._of_json
        await app(scope, receive, send)


def folder_of_form(request: Request) -> SpoolFolder | None:
    """Where the files of a request lie that has come as a form."""
    return request.scope.get(_FOLDER)


class SpooledEndpoint:
    """An ASGI application that gives `handler` what `read` makes of the body, and a folder for large results.

    They lie in the spool until the answer has been sent, whatever becomes of it.
    """

    def __init__(self, handler: Callable[..., Awaitable[Response]], read: Callable[[Request], Any]) -> None:
        self._handler = handler
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            async with spooled(runtime_of(request).spool, request_id_of(request)) as folder:
                await BodyEndpoint(partial(self._handler, folder=folder), self._read)(scope, receive, send)
        except RequestFailed as error:
            raise failure(error.event("")) from None


@asynccontextmanager
async def spooled(spool: Spool, request_id: str) -> AsyncIterator[SpoolFolder]:
    """The folder of a request, which is removed at the end."""
    try:
        yield await in_thread(spool.create, request_id)
    finally:
        await in_thread(spool.remove, request_id)


async def read_upload(request: Request, folder: SpoolFolder, limits: FormLimits) -> Upload:
    """The parts of a body of type `multipart/form-data`, its files in `folder`.

    They are taken apart and written in a thread. Raises RequestError and RequestFailed for what is no form or too
    large, ClientDisconnect where the client goes away.
    """
    hint = "Send a form with files: `Content-Type: multipart/form-data` with its boundary."
    check_type(request, "multipart/form-data", hint)
    form = SpooledForm(boundary_of(request.headers), folder, limits)
    try:
        gathered = bytearray()
        async for piece in body_pieces(request, limits.body_bytes, limits.hint):
            gathered += piece
            if len(gathered) >= PIECE_BYTES:
                await in_thread(form.feed, bytes(gathered))
                gathered.clear()
        await in_thread(form.feed, bytes(gathered))
        return Upload(form.finish(), folder)
    finally:
        await in_thread(form.close)
