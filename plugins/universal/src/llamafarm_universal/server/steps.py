"""What takes a while and tells how it goes on, read as a stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from llamafarm_universal.messages import LoadProgress

T = TypeVar("T")
KEPT = 100
"""So many steps wait for a reader; where it is slower still, it misses the oldest, which later ones make up for."""


async def steps_of(work: Callable[[Callable[[LoadProgress], None]], Awaitable[T]]) -> AsyncGenerator[LoadProgress | T]:
    """Yield each step that a work tells to the function that it is called with; last, what it returns.

    Raises what the work raises. Closing it cancels the work.
    """
    told: deque[LoadProgress] = deque(maxlen=KEPT)
    changed = asyncio.Event()

    def tell(step: LoadProgress) -> None:
        told.append(step)
        changed.set()

    working = asyncio.ensure_future(work(tell))
    working.add_done_callback(lambda _: changed.set())
    try:
        while told or not working.done():
            if told:
                yield told.popleft()
            else:
                changed.clear()
                await changed.wait()
        yield working.result()
    finally:
        working.cancel()
        await asyncio.wait([working])
