"""Answers that pass through, checked as far as they can be: their type, and errors in a 200 or among the events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from llamafarm.providers.answer import Answer
from llamafarm.providers.content import Content, read_content
from llamafarm.providers.http import HttpUpstream
from llamafarm.wire import sse
from llamafarm.wire.envelope import read_error
from llamafarm.wire.operations import Operation

_EVENTS, _JSON, _PAGE = "text/event-stream", "application/json", "text/html"
_SUSPECT = (b'"error"', b"event: error", b"event:error")
"""One of them is in every frame that holds an error."""


async def content_of(upstream: HttpUpstream, answer: Answer, operation: Operation) -> Content:
    """Return the content that an accepted answer is; of a stream, its first event is there and is no error.

    Raises ProviderError, the answer closed, where it is of another kind than was asked for, or holds an error.
    """
    try:
        kind = answer.content_type
        if kind == _EVENTS:
            return await _events(upstream, answer)
        if kind == _PAGE or (_is_pictures(operation) and kind != _JSON):
            raise answer.broken(f"is no answer to {operation.name}: its type is {kind or 'not said'}")

        def check(body: dict[str, Any]) -> None:
            if _is_pictures(operation) and not body.get("data"):
                raise answer.broken(f"holds no pictures: {str(body)[:200]}")

        return await read_content(upstream, answer, check)
    except BaseException:
        await answer.aclose()
        raise


def _is_pictures(operation: Operation) -> bool:
    return operation.path.startswith("/images/")


async def _events(upstream: HttpUpstream, answer: Answer) -> Content:
    events = _checked(upstream, answer)
    first = await anext(events, None)
    if first is None:
        raise answer.broken("holds no event")
    return Content(str(answer.headers["content-type"]), _chained(first, events), answer.aclose)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for frame in rest:
        yield frame


async def _checked(upstream: HttpUpstream, answer: Answer) -> AsyncGenerator[bytes, None]:
    """The frames as they came, until one holds an error; comments before the first event are left out."""
    begun = False
    try:
        async for frame in sse.split(answer):
            begun = begun or b"data:" in frame
            if (error := _error_in(frame)) is not None:
                raise upstream.in_band(answer.url, error)
            if begun:
                yield frame
    except sse.EventTooLarge as error:
        raise answer.broken(f"is too large: {error}") from None


def _error_in(frame: bytes) -> Any:
    """The error that a frame holds; None for any other. Inside a text `"error"` is written with escaped quotes."""
    if not any(mark in frame for mark in _SUSPECT) or (event := sse.parse(frame)) is None:
        return None
    try:
        body = json.loads(event.data)
    except ValueError:
        body = event.data
    if read_error(body):
        return body
    return {"error": body} if event.name == "error" else None
