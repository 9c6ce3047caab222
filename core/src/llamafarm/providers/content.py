"""Answers of any media type: pictures, sound, subtitles. Their bytes pass through as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Self

from llamafarm.errors import UpstreamError
from llamafarm.wire.body import dump


class Content:
    """An answer that the upstream has accepted, whatever it holds; used once, and closed by whoever holds it.

    media_type: with its parameters, as the client will read it. pieces: its bytes as they come, closed where they can
    be. close: closes the upstream, now; it may be called twice. headers: for the client.
    """

    def __init__(
        self, media_type: str, pieces: AsyncIterator[bytes], close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.media_type = media_type
        self.headers: dict[str, str] = {}
        self._pieces = pieces
        self._close = close

    @classmethod
    def whole(cls, content: bytes, media_type: str) -> Self:
        """An answer that is there already."""
        return cls(media_type, _once(content))

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """A JSON answer that is there already."""
        return cls.whole(dump(value), "application/json")

    @property
    def is_stream(self) -> bool:
        """Whether it consists of server-sent events."""
        return self.media_type.partition(";")[0].strip().lower() == "text/event-stream"

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they come; everything is closed after that. Raises ProviderError where they break off."""
        try:
            async for piece in self._pieces:
                yield piece
        finally:
            await self.aclose()

    async def read(self) -> bytes:
        """All bytes. Raises ProviderError where they break off."""
        async with aclosing(self.pieces()) as pieces:
            return b"".join([piece async for piece in pieces])

    async def json(self) -> Any:
        """The object that the bytes are. Raises UpstreamError where they are not JSON."""
        content = await self.read()
        try:
            return json.loads(content)
        except ValueError:
            raise UpstreamError(f"The answer is not JSON ({self.media_type}): {content[:200]!r}") from None

    async def aclose(self) -> None:
        """Close the connection to the upstream now, whatever has been read."""
        for close in (getattr(self._pieces, "aclose", None), self._close):
            if close is not None:
                await close()


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
