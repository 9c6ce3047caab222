"""Endpoints of requests with a body: it is read whole, and the work ends with its client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
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


class _Endpoint(ABC, Generic[Body]):
    """An ASGI application that gives `handler` the body and sends its answer, for as long as the client is there."""

    def __init__(self, handler: Handler[Body], *, limit: int, limit_hint: str | None = None) -> None:
        self._handler = handler
        self._limit = limit
        self._limit_hint = limit_hint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await self._read(request)
            await while_connected(receive, self._answer(request, body, send))
        except ClientDisconnect:
            return  # nobody reads an answer

    @abstractmethod
    async def _read(self, request: Request) -> Body:
        """The body; raises RequestError."""

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
        super().__init__(handler, limit=limit, limit_hint=limit_hint)
        self._parse = parse

    async def _read(self, request: Request) -> dict[str, Any]:
        return await read_object(request, limit=self._limit, limit_hint=self._limit_hint, parse=self._parse)


class FormEndpoint(_Endpoint[list[tuple[str, str | Upload]]]):
    """The endpoint of a form with files. limit, limit_hint: see `read_form`."""

    async def _read(self, request: Request) -> list[tuple[str, str | Upload]]:
        return await read_form(request, limit=self._limit, limit_hint=self._limit_hint)
