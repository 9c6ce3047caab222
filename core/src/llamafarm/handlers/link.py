"""One handler in its place in a chain, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import TypeAdapter

from llamafarm.handlers.base import AgentHandler


class Link:
    """A handler, built for one model entry. fields: what validates the request fields that are its own."""

    def __init__(self, name: str, handler: AgentHandler, fields: Mapping[str, TypeAdapter[Any]]) -> None:
        self.name = name
        self.handler = handler
        self.fields = fields
        self._start: Callable[[], Awaitable[None]] | None = getattr(handler, "start", None)
        self._lock = asyncio.Lock()
        self.is_started = self._start is None

    async def start(self) -> None:
        """Start the handler, once; turns that come at the same time wait. Raises what its `start` raises."""
        async with self._lock:
            if self._start is not None and not self.is_started:
                await self._start()
                self.is_started = True

    async def aclose(self) -> None:
        """Let the handler close what it holds open, where it has begun. Raises what its `aclose` raises."""
        close: Callable[[], Awaitable[None]] | None = getattr(self.handler, "aclose", None)
        if close is not None and self.is_started:
            await close()
