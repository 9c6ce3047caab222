"""A reply made of chunks: for runtimes with a wire of their own, and for answers that a handler makes itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Self

from llamafarm.errors import UpstreamError
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.limits import Limits, deadline_of, timed_out
from llamafarm.providers.reply import Reply
from llamafarm.wire.reading import ChunkReader


class ChunkReply(Reply):
    """Streams the chunks of an asynchronous generator, each within the time limits of the endpoint and the call.

    A stream that ends without a finish reason is an error. Made by `begin`; `headers` may be added to before the reply
    is returned.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[Any, None],
        endpoint: Endpoint,
        call: Call,
        close: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._chunks = chunks
        self._endpoint = endpoint
        self._named = endpoint.named(call.entry.model)
        self._limits = Limits.from_now(endpoint.timeouts, deadline_of(endpoint.timeouts, call))
        self._close = close
        self._first: Any = None
        self._waiting = False
        self._finished = False
        self._reader = ChunkReader()

    @classmethod
    async def begin(
        cls,
        chunks: AsyncGenerator[Any, None],
        endpoint: Endpoint,
        call: Call,
        *,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> Self:
        """Return the reply once its first chunk is there, so that an error before it is an error and no stream.

        chunks: of the wire's type for the operation, the last one with choices carrying a finish reason; raises
        ProviderError where the runtime fails. close: frees what the chunks come from, at once; it may be called twice,
        and while `chunks` waits in another task. Without it, closing the reply only closes the generator.

        Raises ProviderError, everything closed.
        """
        reply = cls(chunks, endpoint, call, close)
        try:
            reply._first = await reply._next(reply._limits.first_byte)
        except StopAsyncIteration:
            await reply.aclose()
            raise reply._broken("is empty") from None
        except BaseException:
            await reply.aclose()
            raise
        return reply

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """The generator's chunks; everything is closed after the last one.

        Raises what the generator raises, ProviderTimeout where it is silent for too long, and UpstreamError where it
        ends without a finish reason.
        """
        try:
            yield self._seen(self._first)
            while True:
                try:
                    chunk = await self._next(self._limits.next())
                except StopAsyncIteration:
                    break
                yield self._seen(chunk)
            if not self._finished:
                raise self._broken("broke off, without a finish reason")
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Free what the chunks come from, now."""
        if self._close is not None:
            await self._close()
        if not self._waiting:  # else the task that waits for the next chunk ends the generator
            await self._chunks.aclose()

    async def _next(self, end: float | None) -> Any:
        self._waiting = True
        try:
            async with asyncio.timeout_at(end):
                return await anext(self._chunks)
        except TimeoutError:
            what, setting = self._limits.missed(end)
            raise timed_out(f"The answer of {self._named} {what}.", setting, self._endpoint.provider) from None
        finally:
            self._waiting = False

    def _seen(self, chunk: Any) -> Any:
        try:
            read = self._reader.read(chunk)
        except ValueError as error:
            raise self._broken(f"holds a chunk that cannot be read: {error}") from None
        self._finished = self._finished or any(choice.get("finish_reason") for choice in read["choices"])
        return read

    def _broken(self, what: str) -> UpstreamError:
        return UpstreamError(f"The answer of {self._named} {what}.", provider=self._endpoint.provider)
