"""Endpoints of requests with a body: it is read whole, and the work ends with its client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llamafarm.web.body import Parse, read_object
from llamafarm.web.client import while_connected
from llamafarm.web.form import read_form
from llamafarm.wire.body import parse_object
from llamafarm.wire.upload import Upload

Body = TypeVar("Body")
Handler = Callable[[Request, Body], Awaitable[Response]]


class _Endpoint(Generic[Body]):
    """An ASGI application that gives `handler` the body and sends its answer, for as long as the client is there."""

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


class JsonEndpoint(_Endpoint[dict[str, Any]]):
    """The endpoint of a JSON object. limit, limit_hint, parse: see `read_object`."""

    def __init__(
        self,
        handler: Handler[dict[str, Any]],
        *,
        limit: int,
        limit_hint: str | None = None,
        parse: Parse = parse_object,
    ) -> None:
        super().__init__(handler, partial(read_object, limit=limit, limit_hint=limit_hint, parse=parse))


class FormEndpoint(_Endpoint[list[tuple[str, str | Upload]]]):
    """The endpoint of a form with files. limit, limit_hint: see `read_form`."""

    def __init__(
        self, handler: Handler[list[tuple[str, str | Upload]]], *, limit: int, limit_hint: str | None = None
    ) -> None:
        super().__init__(handler, partial(read_form, limit=limit, limit_hint=limit_hint))
