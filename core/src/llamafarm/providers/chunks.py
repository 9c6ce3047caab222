"""A reply made of chunks: for runtimes with a wire of their own, and for answers that a handler makes itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Self

from llamafarm.errors import ProviderTimeout, UpstreamError
from llamafarm.providers.assemble import put_together
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.limits import Limits, deadline_of
from llamafarm.wire import sse


class ChunkReply:
    """Streams the chunks of an asynchronous generator, each within the time limits of the endpoint and the call.

    A stream that ends without a finish reason is an error. Made by `begin`; `headers` may be added to before the reply
    is returned.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[Any, None],
        endpoint: Endpoint,
        limits: Limits,
        close: Callable[[], Awaitable[None]] | None = None,
        model: str | None = None,
    ) -> None:
        self.headers: dict[str, str] = {}
        self._chunks = chunks
        self._endpoint = endpoint
        self._named = endpoint.named(model)
        self._limits = limits
        self._close = close
        self._first: Any = None
        self._waiting = False
        self._finished = False

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
        limits = Limits.from_now(endpoint.timeouts, deadline_of(endpoint.timeouts, call))
        reply = cls(chunks, endpoint, limits, close, call.entry.model)
        try:
            reply._first = await reply._next(reply._limits.first_byte)
        except StopAsyncIteration:
            await reply.aclose()
            raise reply._broken("is empty") from None
        except BaseException:
            await reply.aclose()
            raise
        return reply

    async def completion(self) -> Any:
        """The chunks put together. Raises ProviderError as `chunks` does."""
        return put_together([chunk async for chunk in self.chunks()])

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

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The chunks as SSE, ending with `data: [DONE]`. Raises as `chunks` does."""
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                yield sse.encode(chunk)
        yield sse.DONE

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
            raise ProviderTimeout(
                f"The answer of {self._named} {what}.",
                provider=self._endpoint.provider,
                hint=f"`timeouts.{setting}` of the model entry sets the limit.",
            ) from None
        finally:
            self._waiting = False

    def _seen(self, chunk: Any) -> Any:
        self._finished = self._finished or any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
        return chunk

    def _broken(self, what: str) -> UpstreamError:
        return UpstreamError(f"The answer of {self._named} {what}.", provider=self._endpoint.provider)
