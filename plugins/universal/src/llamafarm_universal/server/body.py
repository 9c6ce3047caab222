"""The body of a request: JSON, bounded, and read strictly."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.wire.body import BodyError, parse_object
from starlette.requests import Request

PARSE_IN_THREAD_BYTES = 64 * 1024
"""Larger bodies are parsed beside the event loop."""


async def read_json(request: Request, *, limit: int) -> dict[str, Any]:
    """Return the request's JSON object.

    Raises RequestError: 415 for another content type, 413 for more than `limit` bytes, 400 for what is not JSON.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestError(
            "The body must be sent with 'Content-Type: application/json'.", status=415, code="unsupported_media_type"
        )
    body = await _read(request, limit)
    try:
        if len(body) > PARSE_IN_THREAD_BYTES:
            return await asyncio.to_thread(_parse, body)
        return _parse(body)
    except BodyError as error:
        raise RequestError(str(error), code="invalid_json") from None


def _parse(body: bytes) -> dict[str, Any]:
    """JSON can write halves of surrogate pairs; they are no text, and no tokenizer takes them."""
    value = parse_object(body)
    if b"\\ud" in body.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BodyError(
                "The body holds half of a surrogate pair (\\ud800 to \\udfff), which is no character."
            ) from None
    return value


async def _read(request: Request, limit: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> RequestError:
    return RequestError(f"The body is larger than {limit:,} bytes.", status=413, code="body_too_large")
