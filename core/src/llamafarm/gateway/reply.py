"""What leaves the gateway: a reply or a content, the provider's or the handlers' own, with headers and an end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from llamafarm.errors import UpstreamError
from llamafarm.gateway.blame import blaming
from llamafarm.providers.content import Content
from llamafarm.providers.reply import Reply, WrappedReply
from llamafarm.wire import sse


class TurnReply(WrappedReply):
    """Passes everything on and changes no byte.

    Adds headers, turns what a plugin should not have raised into an UpstreamError that names `what`, and calls `ended`
    when the answer has been read to its end, and when it is closed: what the turn held is free again from then on.
    """

    def __init__(
        self, reply: Reply, what: str, *, headers: Mapping[str, str], ended: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(reply)
        self.headers.update(headers)
        self._what = what
        self._ended = ended

    async def completion(self) -> Any:
        with blaming(self._what, UpstreamError):
            answer = await self._reply.completion()
        await self._end()
        return answer

    async def body(self) -> bytes:
        with blaming(self._what, UpstreamError):
            content = await self._reply.body()
        await self._end()
        return content

    async def chunks(self) -> AsyncGenerator[Any, None]:
        with blaming(self._what, UpstreamError):
            async with aclosing(self._reply.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        await self._end()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        with blaming(self._what, UpstreamError):
            async with aclosing(self._reply.frames()) as frames:
                async for frame in frames:
                    if frame == sse.DONE:
                        await self._end()  # before the client knows, so that its next turn need not wait
                    yield frame
        await self._end()

    async def aclose(self) -> None:
        try:
            await self._reply.aclose()
        finally:
            await self._end()

    async def _end(self) -> None:
        if self._ended is not None:
            await self._ended()


def turn_content(content: Content, what: str, headers: Mapping[str, str]) -> Content:
    """The same content with headers; what a plugin should not have raised is an UpstreamError that names `what`."""
    passed = Content(content.media_type, _blamed(content, what), content.aclose)
    passed.headers = {**content.headers, **headers}
    return passed


async def _blamed(content: Content, what: str) -> AsyncGenerator[bytes, None]:
    with blaming(what, UpstreamError):
        async with aclosing(content.pieces()) as pieces:
            async for piece in pieces:
                yield piece
