"""Answers that pass through, checked as far as they can be: their type, and errors in a 200 or among the events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Self

from llamafarm import Content
from llamafarm.http import Answer, HttpUpstream, read_content
from llamafarm.wire import Operation, read_error, sse

_JSON_OR_PAGE = ("application/json", "text/html")
"""What is read for what it says: an answer, or an error."""
_SUSPECT = (b'"error"', b"event: error", b"event:error")
"""One of them is in every frame that holds an error."""


async def content_of(upstream: HttpUpstream, answer: Answer, operation: Operation) -> Content:
    """Return the content that an accepted answer is; of a stream, its first event is there and is no error.

    Raises ProviderError, the answer closed, where it is of another kind than was asked for, or holds an error.
    """
    try:
        kind = answer.content_type
        if kind == "text/event-stream":
            return Content(str(answer.headers["content-type"]), await Events.begin(upstream, answer))
        pictures = operation.path.startswith("/images/")
        if pictures and kind not in _JSON_OR_PAGE:
            raise answer.broken(f"holds no pictures: its type is {kind or 'not said'}")

        def check(body: dict[str, Any]) -> None:
            if pictures and not body.get("data"):
                raise answer.broken(f"holds no pictures: {str(body)[:200]}")

        return await read_content(upstream, answer, check)
    except BaseException:
        await answer.aclose()
        raise


class Events:
    """The frames of a stream as they came, until one holds an error. Made by `begin`; may be closed at any time."""

    def __init__(self, answer: Answer, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._answer = answer
        self._first: bytes | None = first
        self._rest = rest

    @classmethod
    async def begin(cls, upstream: HttpUpstream, answer: Answer) -> Self:
        """Wait for the first event, so that an error there is an error and no stream. Raises ProviderError."""
        frames = _checked(upstream, answer)
        first = await anext(frames, None)
        if first is None:
            raise answer.broken("holds no event")
        return cls(answer, first, frames)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        return await anext(self._rest) if first is None else first

    async def aclose(self) -> None:
        """Close the connection to the upstream now, also while somebody waits for the next frame."""
        await self._answer.aclose()


async def _checked(upstream: HttpUpstream, answer: Answer) -> AsyncGenerator[bytes, None]:
    """The frames as they came, until one holds an error; comments before the first event are left out."""
    begun = False
    async for frame in sse.split(answer, broken=answer.broken):
        begun = begun or b"data:" in frame
        if (error := _error_in(frame)) is not None:
            raise upstream.in_band(answer.url, error)
        if begun:
            yield frame


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
