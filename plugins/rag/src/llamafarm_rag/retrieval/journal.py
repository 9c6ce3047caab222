"""What a retrieval did, written down while it does it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sized
from typing import TypeVar

from llamafarm_rag.retrieval.result import Stage

FoundT = TypeVar("FoundT", bound=Sized)


class Journal:
    """The stages of a retrieval in the order in which they began, and what whoever asked should know."""

    def __init__(self) -> None:
        self._stages: dict[str, Stage] = {}
        self._notes: dict[str, None] = {}

    async def timed(self, stage: str, work: Awaitable[FoundT]) -> FoundT:
        """Do work of a stage, and write down how long it took and how many it found; the same stage again adds up."""
        self._stages.setdefault(stage, Stage(stage, 0.0, 0))
        began = time.perf_counter()
        found = await work
        before = self._stages[stage]
        milliseconds = before.milliseconds + (time.perf_counter() - began) * 1000
        self._stages[stage] = Stage(stage, milliseconds, before.found + len(found))
        return found

    def note(self, text: str) -> None:
        """Write down a sentence, once."""
        self._notes[text] = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All that was done."""
        return tuple(self._stages.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """All that was noted."""
        return tuple(self._notes)
