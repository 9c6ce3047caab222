"""Replies over HTTP: a streamed one, whose bytes pass through untouched, and a whole one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from llamafarm.errors import ProviderError
from llamafarm.http.answer import Answer
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.assemble import put_together, taken_apart
from llamafarm.providers.base import Reply
from llamafarm.wire import sse
from llamafarm.wire.envelope import read_error

DRAIN_SECONDS = 0.5
"""How long to wait for the end of the body after `[DONE]`, so that the connection can be used again."""

_SUSPECT = (b'"error"', b'"detail"', b"event:")
"""One of them is in every frame that holds an error, and in hardly any other."""
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_DONE = re.compile(rb"^data:\s*\[DONE\]", re.MULTILINE)
_WHOLE = (b"\n\n", b"\r\n\r\n", b"\r\r")


async def read_reply(upstream: HttpUpstream, answer: Answer, *, usage: bool = False) -> Reply:
    """Return the reply that an accepted answer is, by its content type and its first event.

    usage: whether a streamed answer was asked to end with its token counts. Raises ProviderError, the answer closed,
    where it is of another kind, or holds an error.
    """
    try:
        if answer.content_type == "text/event-stream":
            return await SseReply.begin(upstream, answer)
        body = await answer.json()
        if body.get("choices") is None or (read_error(body) and not _has_choices(body)):
            raise _in_band(upstream, answer, body)
        await answer.aclose()
        return JsonReply(body, usage=usage)
    except BaseException:
        await answer.aclose()
        raise


class JsonReply:
    """A whole answer, there already: nothing is open, and it can be read more than once.

    body: the answer object of a chat or a text completion. usage: whether its chunks end with the token counts.
    """

    def __init__(self, body: dict[str, Any], *, usage: bool = False) -> None:
        self.headers: dict[str, str] = {}
        self._body = body
        self._usage = usage

    async def completion(self) -> Any:
        """The answer object as it came."""
        return self._body

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """The answer in pieces, for a client that asked for a stream of a runtime that sent none."""
        for chunk in taken_apart(self._body, usage=self._usage):
            yield chunk

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The pieces as SSE, ending with `data: [DONE]`."""
        for chunk in taken_apart(self._body, usage=self._usage):
            yield sse.encode(chunk)
        yield sse.DONE

    async def aclose(self) -> None:
        """Nothing is open."""


class SseReply:
    """A streamed answer, made by `read_reply`. Frames are looked at only for an error, the finish and the end."""

    def __init__(self, upstream: HttpUpstream, answer: Answer, frames: AsyncIterator[bytes], first: bytes) -> None:
        self.headers: dict[str, str] = {}
        self._upstream = upstream
        self._answer = answer
        self._rest = frames
        self._first = first
        self._finished = False

    @classmethod
    async def begin(cls, upstream: HttpUpstream, answer: Answer) -> SseReply:
        """Wait for the first event, so that an error there is an error and no stream. Raises ProviderError."""
        frames = _split(answer)
        async for frame in frames:
            _check(upstream, answer, frame)
            if _is_comment(frame):
                continue
            return cls(upstream, answer, frames, frame)
        raise answer.broken("holds no event")

    async def completion(self) -> Any:
        """The chunks put together. Raises ProviderError as `frames` does."""
        return put_together([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """The parsed chunks. Raises ProviderError as `frames` does, and for data that is not JSON."""
        async for frame in self.frames():
            event = sse.parse(frame)
            if event is not None and event.data != "[DONE]":
                yield self._parsed(event.data)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The upstream's bytes, a whole frame at a time, ending with `data: [DONE]`; everything is closed after that.

        Raises ProviderError where a frame holds an error, where the stream breaks off, and where it is silent for too
        long.
        """
        try:
            async for frame in self._whole_frames():
                if _is_done(frame):
                    break
                if _FINISHED.search(frame):
                    self._finished = True
                yield frame
            else:
                if not self._finished:
                    raise self._answer.broken("broke off, without a finish reason and without [DONE]")
            yield sse.DONE
            await self._drain()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connection to the upstream now, whatever has been read."""
        await self._answer.aclose()

    async def _whole_frames(self) -> AsyncIterator[bytes]:
        """The frames, checked; the last one is completed where only its empty line is missing, else left out."""
        if (first := _completed(self._first)) is not None:
            yield first
        async for frame in self._rest:
            _check(self._upstream, self._answer, frame)
            if (whole := _completed(frame)) is not None:
                yield whole

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self._rest:
                    pass
        except (TimeoutError, ProviderError):
            return  # the answer is complete; the connection is closed instead of kept

    def _parsed(self, data: str) -> dict[str, Any]:
        try:
            chunk = json.loads(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            raise self._answer.broken(f"holds an event that is not a JSON object: {data[:200]}")
        return chunk


async def _split(answer: Answer) -> AsyncIterator[bytes]:
    try:
        async for frame in sse.split(answer):
            yield frame
    except sse.EventTooLarge as error:
        raise answer.broken(f"is too large: {error}") from None


def _check(upstream: HttpUpstream, answer: Answer, frame: bytes) -> None:
    """Raise the error that a frame holds. Inside a text `"error"` is written with escaped quotes and never found."""
    if not any(mark in frame for mark in _SUSPECT):
        return
    event = sse.parse(frame) or sse.Event(frame.decode("utf-8", "replace"))  # some write their errors as bare JSON
    try:
        body = json.loads(event.data)
    except ValueError:  # `transformers serve` writes its errors without escaping what is in them
        body = {"error": event.data} if event.data.startswith('{"error"') else event.data
    if event.name == "error":
        raise upstream.in_band(answer.url, body if read_error(body) else {"error": body})
    if not _has_choices(body) and read_error(body):
        raise upstream.in_band(answer.url, body)


def _in_band(upstream: HttpUpstream, answer: Answer, body: Any) -> ProviderError:
    if isinstance(body, dict) and not read_error(body):
        return answer.broken(f"holds neither choices nor an error: {str(body)[:200]}")
    return upstream.in_band(answer.url, body)


def _has_choices(body: Any) -> bool:
    return isinstance(body, dict) and bool(body.get("choices")) and not body.get("error")


def _is_done(frame: bytes) -> bool:
    return b"[DONE]" in frame and _DONE.search(frame) is not None


def _is_comment(frame: bytes) -> bool:
    return b"data:" not in frame and sse.parse(frame) is None


def _is_json(frame: bytes) -> bool:
    event = sse.parse(frame)
    try:
        return event is not None and isinstance(json.loads(event.data), dict)
    except ValueError:
        return False


def _completed(frame: bytes) -> bytes | None:
    """The frame with its empty line; None for the beginning of one that was cut off."""
    if frame.endswith(_WHOLE):
        return frame
    return frame.rstrip(b"\r\n") + b"\n\n" if _is_json(frame) or _is_done(frame) else None
