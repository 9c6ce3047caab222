"""The body of a request, read once: JSON, of the right type and size."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from llamafarm.errors import RequestError
from llamafarm.wire.body import BodyError, parse_object


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """The JSON object in the body, of at most `limit` bytes.

    Raises RequestError: 415 for another type, 413 for a larger one, 400 for a text that is not a JSON object.
    """
    _check_type(request)
    text = await _read(request, limit)
    if not text.strip():
        raise RequestError("The body is empty.", hint="Send a JSON object.", code="invalid_json")
    try:
        return parse_object(text)
    except BodyError as error:
        raise RequestError(str(error), code="invalid_json") from None


def _check_type(request: Request) -> None:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise RequestError(
            f"The content type is {kind!r}." if kind else "The body has no content type.",
            hint="Send JSON with the header `Content-Type: application/json`.",
            status=415,
            code="unsupported_media_type",
        )
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        message = f"The body is encoded as {encoding!r}."
        raise RequestError(message, hint="Send it as it is.", status=415, code="unsupported_media_type")


async def _read(request: Request, limit: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"The body is larger than {limit} bytes.",
        hint="LF_MAX_BODY_BYTES sets the limit of this server.",
        status=413,
        code="request_too_large",
    )
