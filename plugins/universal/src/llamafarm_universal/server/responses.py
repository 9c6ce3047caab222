"""How answers leave: JSON, errors, and streams that notice when nobody reads them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from llamafarm.errors import LlamaFarmError, ProviderError, RequestError, ServiceError
from llamafarm.wire import sse
from llamafarm.wire.body import dump
from llamafarm.wire.envelope import envelope, error_event
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llamafarm_universal.server.errors import EngineError

log = logging.getLogger(__name__)

T = TypeVar("T")
ErrorFrame = Callable[[LlamaFarmError], bytes]


class ClientGone(Exception):
    """The client has closed its connection: nobody waits for the answer."""


class Json(Response):
    """A JSON answer; bytes are JSON already."""

    media_type = "application/json"

    def __init__(self, content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content if isinstance(content, bytes) else dump(content), status, headers)


class EventStream(Response):
    """Server-sent events, with comments while there is nothing to say.

    An error in `frames` becomes one error event and the end. `close` is called once the stream has ended, whyever.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        *,
        close: Callable[[], None],
        keep_alive_seconds: float,
        headers: Mapping[str, str] | None = None,
        error_frame: ErrorFrame = error_event,
    ) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-cache", **(headers or {})})
        del self.headers["content-length"]
        self._frames = frames
        self._close = close
        self._quiet = keep_alive_seconds
        self._error_frame = error_frame
        self._last_sent = 0.0

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await until_gone(receive, self._send_all(send))
        except ClientGone:
            pass
        except asyncio.CancelledError:
            await self._say_goodbye(send)
            raise
        finally:
            self._close()
            await self._frames.aclose()

    async def _send_all(self, send: Send) -> None:
        async with _kept_alive(self._keep_alive(send)):
            try:
                async for frame in self._frames:
                    await self._send(send, frame)
            except LlamaFarmError as error:
                await self._send(send, self._error_frame(error))
            except Exception:
                log.exception("Unexpected error in a running stream")
                await self._send(send, self._error_frame(_internal_error()))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, frame: bytes) -> None:
        self._last_sent = asyncio.get_running_loop().time()
        await send({"type": "http.response.body", "body": frame, "more_body": True})

    async def _keep_alive(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._last_sent = loop.time()
        while True:
            await asyncio.sleep(self._last_sent + self._quiet - loop.time())
            if loop.time() - self._last_sent >= self._quiet:
                await self._send(send, sse.KEEP_ALIVE)

    async def _say_goodbye(self, send: Send) -> None:
        """The server stops, and this stream has not ended within its grace."""
        try:
            async with asyncio.timeout(1):
                await self._send(send, self._error_frame(stopping()))
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:  # the client does not read
            pass


@asynccontextmanager
async def _kept_alive(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; cancel it and raise ClientGone as soon as the client closes the connection.

    The request's body must have been read: what `receive` says after it can only be that.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def error_response(error: LlamaFarmError) -> Json:
    return Json(envelope(error), status=error.status, headers=_error_headers(error))


def _error_headers(error: LlamaFarmError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, ProviderError) and error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, EngineError):
        headers["x-should-retry"] = "false"  # OpenAI's clients repeat every 5xx otherwise
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


async def refuse(error: LlamaFarmError, scope: Scope, receive: Receive, send: Send) -> None:
    await error_response(error)(scope, receive, send)


async def on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, LlamaFarmError)
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """The router's own refusals: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"][:200]
    if error.status_code == 404:
        refused = RequestError(f"There is no {path!r} here.", status=404, code="unknown_route")
    elif error.status_code == 405:
        refused = RequestError(f"{path!r} does not take {request.method}.", status=405, code="method_not_allowed")
    else:
        refused = RequestError(str(error.detail), status=error.status_code)
    response = error_response(refused)
    response.headers.update(error.headers or {})
    return response


async def on_crash(_request: Request, _error: Exception) -> Response:
    return error_response(_internal_error())


def stopping() -> ServiceError:
    return ServiceError("The runtime is stopping; the answer breaks off here.", hint="Ask again.", code="stopping")


def _internal_error() -> LlamaFarmError:
    return EngineError("Something went wrong in the runtime; its log says what.", code="internal_error")
