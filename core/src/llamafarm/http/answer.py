"""An answer of a runtime: its headers, and its bytes as they come, each within its time limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn, Self

import aiohttp

from llamafarm.errors import ProviderTimeout, UpstreamError
from llamafarm.http.unreachable import reason
from llamafarm.providers.base import Endpoint
from llamafarm.providers.limits import Limits, timed_out
from llamafarm.wire.body import is_too_deep

MAX_ANSWER_BYTES = 128 * 1024 * 1024


class Answer:
    """An accepted answer: its headers, and its bytes as an asynchronous iterator, used once.

    Each piece must come within the limits (first byte, between bytes, deadline). Used as a context manager it closes.
    """

    def __init__(
        self, endpoint: Endpoint, response: aiohttp.ClientResponse, limits: Limits, model: str | None = None
    ) -> None:
        self.endpoint = endpoint
        self._named = endpoint.named(model)
        self.headers: Mapping[str, str] = response.headers
        self.status = response.status
        self.url = str(response.url)
        self._response = response
        self._body = response.content
        self._limits = limits
        self._begun = False
        self._peeked: bytes | None = None
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._waiting_since: float | None = None

    @property
    def content_type(self) -> str:
        """The media type, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._peeked:
            piece, self._peeked = self._peeked, b""
            return piece
        self._waiting_since = self._loop.time()
        if self._alarm is None:
            self._set_alarm()
        try:
            piece = await self._body.readany()
        except aiohttp.ClientError as error:
            raise self.broken(f"broke off ({reason(error)})") from error
        finally:
            self._waiting_since = None
        if not piece:
            self._stop_alarm()
            raise StopAsyncIteration
        if not self._begun:
            self._begun = True
            self._stop_alarm()  # from now on silence has its own limit
        deadline = self._limits.deadline
        if deadline is not None and self._loop.time() > deadline:  # what pours in is never waited for
            raise self._late(deadline)
        return piece

    async def peek(self) -> bytes:
        """The first piece, which whoever reads gets again; empty where there is none."""
        if self._peeked is None:
            self._peeked = await anext(self, b"")
        return self._peeked

    def _set_alarm(self) -> None:
        """See to it that the piece that is waited for comes in time. Silence counts only while somebody listens."""
        end = self._end()
        if end is not None:
            self._alarm = self._loop.call_at(end, self._ring)

    def _ring(self) -> None:
        """One alarm serves many pieces: it is set again where the piece that it was for has come long ago."""
        self._alarm = None
        end = self._end()
        if end is not None and end <= self._loop.time():
            self._body.set_exception(self._late(end))
        elif self._waiting_since is not None:
            self._set_alarm()

    def _end(self) -> float | None:
        """Until when the piece that somebody waits for must have come."""
        if self._waiting_since is None:
            return None
        if not self._begun:
            return self._limits.first_byte
        return self._limits.next(self._waiting_since)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def text(self, limit: int) -> str:
        """The body as text, cut off at `limit` bytes."""
        return (await self._read(limit))[:limit].decode("utf-8", "replace")

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises UpstreamError where it is none, or larger than MAX_ANSWER_BYTES."""
        return self.parsed_object(await self.content())

    async def value(self) -> Any:
        """The body as JSON of any kind. Raises UpstreamError where it is none, or larger than MAX_ANSWER_BYTES."""
        return self._parsed(await self.content())

    async def content(self) -> bytes:
        """All bytes of the body. Raises UpstreamError where they are more than MAX_ANSWER_BYTES."""
        content = await self._read(MAX_ANSWER_BYTES)
        if len(content) > MAX_ANSWER_BYTES:
            raise self.broken(f"is larger than {MAX_ANSWER_BYTES} bytes")
        return bytes(content)

    def parsed_object(self, content: bytes) -> dict[str, Any]:
        """The JSON object that the body is. Raises UpstreamError where it is none."""
        body = self._parsed(content)
        if not isinstance(body, dict):
            raise self.broken(f"is not a JSON object: {str(body)[:200]}")
        return body

    def _parsed(self, content: bytes) -> Any:
        beginning = content[:200].decode("utf-8", "replace")
        try:
            body = json.loads(content, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            kind = self.content_type or "no content type"
            raise self.broken(f"is not JSON ({kind}; {error}): {beginning}") from None
        if is_too_deep(content, body):
            raise self.broken(f"is nested too deeply: {beginning}")
        return body

    async def _read(self, limit: int) -> bytearray:
        content = bytearray()
        async for piece in self:
            content += piece
            if len(content) > limit:
                break
        return content

    def broken(self, what: str) -> UpstreamError:
        """The error of an answer that is not what the protocol says; `what` follows "The answer of …"."""
        return UpstreamError(f"The answer of {self._named} at {self.url} {what}", provider=self.endpoint.provider)

    async def aclose(self) -> None:
        """Close now; the connection is kept only where the answer was read to its end."""
        self._stop_alarm()
        if self._response.closed:
            return
        self._response.close()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _late(self, end: float | None) -> ProviderTimeout:
        what, setting = self._limits.missed(end)
        return timed_out(f"The answer of {self._named} at {self.url} {what}.", setting, self.endpoint.provider)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
