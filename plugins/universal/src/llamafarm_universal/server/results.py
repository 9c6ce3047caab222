"""What a model has answered and its client has not read yet: kept in order, and not without bounds."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import Generic, TypeVar

from llamafarm.errors import LlamaFarmError

from llamafarm_universal.messages import Piece, Progress

MAX_EVENTS = 8192
MAX_BYTES = 4 * 1024 * 1024
EVENT_BYTES = 200
"""What an event takes beside its texts."""
LOGPROB_BYTES = 150
"""What one token with its probability takes."""

Item = TypeVar("Item")


class SlowReader(LlamaFarmError):
    """The client does not read what the model writes for it."""

    default_status = 408
    type = "timeout_error"
    default_code = "answer_not_read"


class Results(Generic[Item]):
    """Of one request. They are kept whether or not somebody reads; who puts them asks whether they are too many."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._limits = max_events, max_bytes
        self._kept: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._there = asyncio.Event()

    def __len__(self) -> int:
        """How many wait to be read."""
        return len(self._kept)

    @property
    def are_too_many(self) -> bool:
        """Whether more is kept than should be: the client does not read, or far too slowly."""
        events, size = self._limits
        return len(self._kept) > events or self._bytes > size

    def put(self, item: Item) -> None:
        """Keep one more; of how far an answer is only the latest is kept."""
        if self._kept and _replaces(item, self._kept[-1][0]):
            self._bytes -= self._kept.pop()[1]
        size = _bytes_of(item)
        self._kept.append((item, size))
        self._bytes += size
        self._there.set()

    async def take(self) -> Item:
        """Return the oldest, once there is one."""
        while not self._kept:
            self._there.clear()
            await self._there.wait()
        item, size = self._kept.popleft()
        self._bytes -= size
        return item

    def slow_reader(self) -> SlowReader:
        """What the client is told that comes back to results that were too many."""
        return SlowReader(
            f"The answer was ended, because nobody read it: {len(self)} of its events were waiting for the client.",
            hint="Read an answer as it comes, or ask for one that is not streamed.",
        )


def _replaces(item: object, before: object) -> bool:
    if not (isinstance(item, Progress) and isinstance(before, Progress)):
        return False
    return (item.request_id, item.index) == (before.request_id, before.index)


def _bytes_of(item: object) -> int:
    """About what is kept in memory; the value of a last event counts nothing, since no more follows it."""
    if not isinstance(item, Piece):
        return EVENT_BYTES
    tokens = sum(1 + len(token.top) for token in item.logprobs)
    return EVENT_BYTES + sys.getsizeof(item.text) + LOGPROB_BYTES * tokens
