"""How much may be on its way at a time, so that what is read ahead does not fill the memory."""

from __future__ import annotations

import asyncio


class Window:
    """Room for so many items. A load that is larger than all of it enters when it is alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._changed = asyncio.Condition()

    async def enter(self, items: int) -> None:
        """Wait until there is room, and take it."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._held or self._held + items <= self._size)
            self._held += items

    async def leave(self, items: int) -> None:
        """Give room back."""
        async with self._changed:
            self._held -= items
            self._changed.notify_all()
