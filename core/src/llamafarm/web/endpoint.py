"""Endpoints of requests with a body: it is read whole, and the work ends with its client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from llamafarm.errors import ServiceError

Body = TypeVar("Body")
Answer = TypeVar("Answer")
Handler = Callable[[Request, Body], Awaitable[Response]]

WATCHED_AFTER_SECONDS = 0.01
"""Work that is done sooner is not watched: watching costs a task, and such an answer is lost on nobody for long."""


class BodyEndpoint(Generic[Body]):
    """An ASGI application that gives `handler` the body and sends its answer, for as long as the client is there.

    read: reads the body, as `read_object` and `read_form` do once they are given the limit.
    """

    def __init__(self, handler: Handler[Body], read: Callable[[Request], Awaitable[Body]]) -> None:
        self._handler = handler
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await self._read(request)
            await while_connected(receive, self._answer(request, body, send))
        except ClientDisconnect:
            return  # nobody reads an answer

    async def _answer(self, request: Request, body: Body, send: Send) -> None:
        response = await self._handler(request, body)
        await response(request.scope, request.receive, send)


class Incoming:
    """What comes of a request whose endpoint reads the body itself, or leaves it unread.

    Behind the body comes nothing but that the client goes away, which somebody else may wait for.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        self._receive = receive
        self._whole = asyncio.Event()
        self._is_empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        if self._is_empty:
            self._whole.set()

    async def receive(self) -> Message:
        """What comes next, for the endpoint."""
        if self._is_empty:  # whoever watches may have taken it
            self._is_empty = False
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        if not message.get("more_body"):
            self._whole.set()
        return message

    async def after_body(self) -> Message:
        """What comes once the body has been read."""
        await self._whole.wait()
        return await self._receive()


async def while_connected(receive: Receive, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what `work` returns, and cancel it once the client has gone. The request's body must have been read.

    Raises ClientDisconnect where the client has gone. Cancelled itself, because the server stops, it cancels the work
    too; raises ServiceError (503) where that had not answered yet.
    """
    loop, working = asyncio.get_running_loop(), asyncio.current_task()
    watching: list[asyncio.Task[None]] = []
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        assert working is not None
        working.cancel()

    timer = loop.call_later(WATCHED_AFTER_SECONDS, lambda: watching.append(loop.create_task(watch())))
    try:
        return await work
    except asyncio.CancelledError:
        raise (ClientDisconnect if gone else server_stopping()) from None
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()


def server_stopping() -> ServiceError:
    """Why an answer ends before it is whole."""
    return ServiceError("The server is stopping.", hint="Ask again once it is up.", code="server_stopping")
