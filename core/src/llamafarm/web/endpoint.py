"""The endpoint of a request that carries JSON: its body is read, and its work ends with its client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llamafarm.web.body import Parse, read_object
from llamafarm.web.client import while_connected
from llamafarm.wire.body import parse_object

Handler = Callable[[Request, dict[str, Any]], Awaitable[Response]]


class JsonEndpoint:
    """An ASGI application that gives `handler` the body and sends its answer, for as long as the client is there.

    limit, limit_hint, parse: see `read_object`.
    """

    def __init__(
        self, handler: Handler, *, limit: int, limit_hint: str | None = None, parse: Parse = parse_object
    ) -> None:
        self._handler = handler
        self._limit = limit
        self._limit_hint = limit_hint
        self._parse = parse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await read_object(request, limit=self._limit, limit_hint=self._limit_hint, parse=self._parse)
            await while_connected(receive, self._answer(request, body, send))
        except ClientDisconnect:
            return  # nobody reads an answer

    async def _answer(self, request: Request, body: dict[str, Any], send: Send) -> None:
        response = await self._handler(request, body)
        await response(request.scope, request.receive, send)
