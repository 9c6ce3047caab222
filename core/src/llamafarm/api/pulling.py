"""A pull as server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import asdict
from typing import Any

from llamafarm.providers.base import Progress
from llamafarm.wire import sse

WAITING = 256
"""How many steps may wait for a client that reads slowly; of what comes then, the newest of each text is kept."""


async def pull_events(
    work: Callable[[Callable[[Progress], None]], Coroutine[Any, Any, None]], done: Any
) -> AsyncGenerator[bytes, None]:
    """One event for each step of a pull, and `done`. Closing ends the pull. Raises LlamaFarmError where it fails.

    work: the pull, which is given whom to tell its progress. done: the data of the last event, whose name is `done`.
    """
    steps: deque[Progress] = deque()
    news = asyncio.Event()

    def add(step: Progress) -> None:
        if len(steps) >= WAITING and steps[-1].text == step.text:
            steps.pop()
        steps.append(step)
        news.set()

    pull = asyncio.create_task(work(add))
    pull.add_done_callback(lambda _: news.set())
    try:
        while steps or not pull.done():
            await news.wait()
            news.clear()
            while steps:
                yield sse.encode(asdict(steps.popleft()))
        await pull
        yield sse.encode(done, event="done")
    finally:
        pull.cancel()
        await asyncio.gather(pull, return_exceptions=True)  # whoever read the events knows how it ended


async def with_first(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Events of which the first has been read already, so that its failing could be an HTTP status."""
    yield first
    async for event in rest:
        yield event
