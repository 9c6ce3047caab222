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


class Pulling:
    """A pull that runs beside its events. work: the pull, which is given whom to tell its progress.

    done: the data of the last event, whose name is `done`. The pull ends with `aclose`, wherever it is.
    """

    def __init__(self, work: Callable[[Callable[[Progress], None]], Coroutine[Any, Any, None]], done: Any) -> None:
        self._steps: deque[Progress] = deque()
        self._news = asyncio.Event()
        self._done = done
        self._task = asyncio.create_task(work(self._add))
        self._task.add_done_callback(lambda _: self._news.set())

    async def begin(self) -> None:
        """Wait until there is something to tell. Raises LlamaFarmError where the first thing is an error."""
        try:
            await self._news.wait()
            if not self._steps:
                await self._task
        except BaseException:
            await self.aclose()
            raise

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """One event for each step, and `done`. Raises LlamaFarmError where the pull fails in the middle."""
        while self._steps or not self._task.done():
            await self._news.wait()
            self._news.clear()
            while self._steps:
                yield sse.encode(asdict(self._steps.popleft()))
        await self._task
        yield sse.encode(self._done, event="done")

    async def aclose(self) -> None:
        """End the pull, where it is still going on; twice does nothing."""
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # whoever read the events knows it

    def _add(self, step: Progress) -> None:
        if len(self._steps) >= WAITING and self._steps[-1].text == step.text:
            self._steps.pop()
        self._steps.append(step)
        self._news.set()
