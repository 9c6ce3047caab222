"""Endpoints of requests with a body: it is read whole, and the work ends with its client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llamafarm.web.client import while_connected

Body = TypeVar("Body")
Handler = Callable[[Request, Body], Awaitable[Response]]


class Endpoint(Generic[Body]):
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
