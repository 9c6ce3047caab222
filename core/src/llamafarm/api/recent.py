"""What runtimes said a moment ago: many who ask at once cost them one question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Told = TypeVar("Told")
Question = Callable[[], Coroutine[Any, Any, Told]]

FRESH_SECONDS = 1.0
"""How long an answer may be given again."""


class Recent(Generic[Told]):
    """Answers to questions by what they are about. Whoever asks while one is being asked waits for the same answer."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, tuple[asyncio.Task[Told], float]] = {}

    async def get(self, ask: Question[Told], *about: Hashable) -> Told:
        """What `ask` returned about this within the last second, or returns now. Raises what it raises."""
        now = asyncio.get_running_loop().time()
        self._asked = {
            key: (task, at) for key, (task, at) in self._asked.items() if not task.done() or now - at < FRESH_SECONDS
        }
        if about not in self._asked:
            self._asked[about] = (asyncio.create_task(ask()), now)
        return await asyncio.shield(self._asked[about][0])

    def forget(self) -> None:
        """Ask anew from now on: something has been changed."""
        self._asked.clear()
