"""What runtimes said a moment ago: many who ask at once cost them one question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Told = TypeVar("Told")
Question = Callable[[], Coroutine[Any, Any, Told]]

FRESH_SECONDS = 1.0
"""How long an answer may be given again."""


class Recent(Generic[Told]):
    """Answers to questions by what they are about. Whoever asks while one is being asked waits for the same answer."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, _Asked[Told]] = {}

    async def get(self, about: object, ask: Question[Told], *more: Hashable) -> Told:
        """What `ask` returned within the last second, or returns now. Raises what it raises.

        about: the object that is asked about, and `more` tells one question about it from another.
        """
        now = asyncio.get_running_loop().time()
        self._asked = {
            key: asked for key, asked in self._asked.items() if not asked.task.done() or now - asked.at < FRESH_SECONDS
        }
        key = (id(about), *more)
        if key not in self._asked:
            self._asked[key] = _Asked(about, asyncio.create_task(ask()), now)
        return await asyncio.shield(self._asked[key].task)

    def forget(self) -> None:
        """Ask anew from now on: something has been changed."""
        self._asked.clear()


@dataclass(frozen=True)
class _Asked(Generic[Told]):
    """about: kept, so that its id is not given to another object meanwhile."""

    about: object
    task: asyncio.Task[Told]
    at: float
