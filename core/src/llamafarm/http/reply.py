"""Replies over HTTP: a streamed one, whose bytes pass through untouched, and a whole one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

from llamafarm.errors import ProviderError
from llamafarm.http.answer import Answer
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.reply import JsonReply, Reply
from llamafarm.wire import sse
from llamafarm.wire.body import is_too_deep
from llamafarm.wire.envelope import read_error
from llamafarm.wire.reading import ChunkReader, read_completion

DRAIN_SECONDS = 0.5
"""How long to wait for the end of the body after `[DONE]`, so that the connection can be used again."""

_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE = re.compile(rb"^data:\s*\[DONE\]", re.MULTILINE)
_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?:data|event|id|retry)?:")
"""What an answer of another type, or of none, begins with where it consists of events all the same."""
_WHOLE = (b"\n\n", b"\r\n\r\n", b"\r\r")


async def read_reply(upstream: HttpUpstream, answer: Answer, *, usage: bool = False) -> Reply:
    """Return the reply that an accepted answer is, by its content type, or what it begins with, and its first event.

    usage: whether a streamed answer was asked to end with its token counts. Raises ProviderError, the answer closed,
    where it is of another kind, or holds an error.
    """
    try:
        kind = answer.content_type
        if kind == "text/event-stream" or (kind != "application/json" and _FIELD.match(await answer.peek())):
            return await SseReply.begin(upstream, answer)
        content = await answer.content()
        reply = _whole(upstream, answer, content, usage=usage)
        await answer.aclose()
        return reply
    except BaseException:
        await answer.aclose()
        raise


def _whole(upstream: HttpUpstream, answer: Answer, content: bytes, *, usage: bool) -> JsonReply:
    body = answer.parsed_object(content)
    if not body.get("choices"):
        if read_error(body):
            raise upstream.in_band(answer.url, body)
        raise answer.broken(f"holds neither choices nor an error: {str(body)[:200]}")
    try:
        return JsonReply(read_completion(body), usage=usage, content=content)
    except ValueError as error:
        raise answer.broken(f"cannot be read: {error}") from None


class SseReply(Reply):
    """A streamed answer, made by `read_reply`. Frames are looked at only for an error, the finish and the end."""

    def __init__(self, upstream: HttpUpstream, answer: Answer) -> None:
        self._upstream = upstream
        self._answer = answer
        self._rest = sse.split(answer, broken=answer.broken)
        self._first = b""
        self._finished = False
        self._reader = ChunkReader()

    @classmethod
    async def begin(cls, upstream: HttpUpstream, answer: Answer) -> SseReply:
        """Wait for the first event, so that an error there is an error and no stream. Raises ProviderError."""
        reply = cls(upstream, answer)
        async for frame in reply._rest:
            if _is_done(frame):
                break
            reply._first = reply._read(frame)
            if sse.parse(reply._first) is not None:
                return reply
        raise answer.broken("holds no event with an answer")

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """The parsed chunks. Raises ProviderError as `frames` does, and for data that is not JSON."""
        async for frame in self.frames():
            event = sse.parse(frame)
            if event is not None and event.data.strip() != "[DONE]":
                yield self._parsed(event)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The upstream's bytes, a whole frame at a time, ending with `data: [DONE]`; everything is closed after that.

        Raises ProviderError where a frame holds an error, where the stream breaks off, and where it is silent for too
        long.
        """
        try:
            yield self._first
            async for frame in self._rest:
                if _is_done(frame):
                    break
                if read := self._read(frame):
                    yield read
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

    def _read(self, frame: bytes) -> bytes:
        """The frame as it is passed on; nothing where it is left out. Raises ProviderError where it holds an error."""
        if not _is_plain(frame):
            frame = self._read_odd(frame)
        self._finished = self._finished or _FINISHED.search(frame) is not None
        return frame

    def _read_odd(self, frame: bytes) -> bytes:
        """As `_read`, of a frame that is not plain.

        It is completed where only its empty line is missing; one that was cut off is left out, and so is one without
        data, at which clients stumble.
        """
        event = sse.parse(frame)
        self._refuse_error(event or sse.Event(frame.decode("utf-8", "replace")))  # some send errors as bare JSON
        if not frame.endswith(_WHOLE):
            return frame.rstrip(b"\r\n") + b"\n\n" if event and event.object() is not None else b""
        return frame if event is not None or frame.startswith(b":") else b""

    def _refuse_error(self, event: sse.Event) -> None:
        """Raise the error that an event holds."""
        try:
            body = json.loads(event.data)
        except (ValueError, RecursionError):  # `transformers serve` writes its errors without escaping what is in them
            body = {"error": event.data} if event.data.startswith('{"error"') else event.data
        if event.name == "error":
            raise self._upstream.in_band(self._answer.url, body if read_error(body) else {"error": body})
        if read_error(body) and not (isinstance(body, dict) and body.get("choices") and not body.get("error")):
            raise self._upstream.in_band(self._answer.url, body)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self._rest:
                    pass
        except (TimeoutError, ProviderError):
            return  # the answer is complete; the connection is closed instead of kept

    def _parsed(self, event: sse.Event) -> dict[str, Any]:
        chunk = event.object()
        if chunk is None:
            raise self._answer.broken(f"holds an event that is not a JSON object: {event.data[:200]}")
        if is_too_deep(event.data, chunk):
            raise self._answer.broken(f"holds an event that is nested too deeply: {event.data[:200]}")
        try:
            return self._reader.read(chunk)
        except ValueError as error:
            raise self._answer.broken(f"holds an event that cannot be read: {error}") from None


def _is_done(frame: bytes) -> bool:
    return b"[DONE]" in frame and _DONE.search(frame) is not None


def _is_plain(frame: bytes) -> bool:
    """Whether a frame is a chunk for sure. Inside a text `"error"` is written with escaped quotes and never found."""
    return (
        frame.startswith(b"data: {")
        and frame.endswith(b"\n\n")
        and not (b'"error"' in frame or b'"detail"' in frame or b"event:" in frame)
    )
