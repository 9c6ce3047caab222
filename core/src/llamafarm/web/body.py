"""The body of a request, read once: JSON, of the right type and size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from llamafarm.errors import RequestError
from llamafarm.wire.body import BodyError, parse_object

PARSE_IN_THREAD_BYTES = 64 * 1024
"""Larger bodies are parsed beside the event loop."""
PIECE_SECONDS = 30.0
"""How long a client may take to send the next piece of a body."""
Parse = Callable[[bytes], Any]


BODY_LIMIT = "llamafarm.body_limit"
"""Where a request's scope holds how large bodies may be, of a server that says it to its endpoints."""


@dataclass(frozen=True)
class BodyLimit:
    """How many bytes a body may have. hint: how that is changed."""

    size: int
    hint: str | None = None

    @classmethod
    def of(cls, request: Request, size: int | None, hint: str | None) -> BodyLimit:
        """The limit that is given; where none is, the server's own. Raises LookupError where it says none."""
        return cls(size, hint) if size is not None else request.scope[BODY_LIMIT]


async def read_object(
    request: Request, *, limit: int | None = None, limit_hint: str | None = None, parse: Parse = parse_object
) -> Any:
    """The JSON object in the body, of at most `limit` bytes, or what `parse` makes of it.

    limit: None is the server's own, in a route of a plugin. limit_hint: how the limit is changed. parse: reads the
    text, beside the event loop where it is long, and raises BodyError for a wrong one.
    Raises RequestError: 415 for another type, 413 for a larger one, 400 for a text that is not a JSON object; and
    starlette's ClientDisconnect where the client goes away before its body is here.
    """
    check_type(request, "application/json", "Send JSON with the header `Content-Type: application/json`.")
    allowed = BodyLimit.of(request, limit, limit_hint)
    text = b"".join([piece async for piece in body_pieces(request, allowed.size, allowed.hint)])
    if not text.strip():
        raise RequestError("The body is empty.", hint="Send a JSON object.", code="invalid_json")
    try:
        return await asyncio.to_thread(parse, text) if len(text) > PARSE_IN_THREAD_BYTES else parse(text)
    except BodyError as error:
        raise RequestError(str(error), code="invalid_json") from None


def check_type(request: Request, wanted: str, hint: str) -> None:
    """Raise RequestError (415) for a body of another media type, which `hint` helps with, and for a compressed one."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != wanted:
        message = f"The content type is {kind[:100]!r}." if kind else "The body has no content type."
        raise RequestError(message, hint=hint, status=415, code="unsupported_media_type")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        message = f"The body is encoded as {encoding[:100]!r}."
        raise RequestError(message, hint="Send it as it is.", status=415, code="unsupported_media_type")


async def body_pieces(request: Request, limit: int, limit_hint: str | None) -> AsyncGenerator[bytes, None]:
    """The pieces of the body.

    Raises RequestError: 413 for one of more than `limit` bytes, 408 where the next piece does not come in time.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit, limit_hint)
    size, more = 0, True
    while more:
        message = await _next(request)
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise _too_large(limit, limit_hint)
        yield piece


async def _next(request: Request) -> Message:
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            message = await request.receive()
    except TimeoutError:
        stopped = f"The body stopped coming for {PIECE_SECONDS:g} s."
        raise RequestError(stopped, status=408, code="request_timeout") from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


def _too_large(limit: int, hint: str | None) -> RequestError:
    return RequestError(f"The body is larger than {limit:,} bytes.", hint=hint, status=413, code="request_too_large")
