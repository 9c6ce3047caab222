"""Until when somebody waits for the requests of an engine host."""

from __future__ import annotations

import math
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from llamafarm_universal.failure import RequestFailed


class Limited(Protocol):
    """deadline: in seconds of `time.monotonic()`; infinite where nobody has said one."""

    deadline: float


class Deadlines:
    """Knows when to look at the requests next, so that a turn of the loop need not."""

    def __init__(self) -> None:
        self._next = math.inf

    def note(self, deadline: float) -> None:
        """A request has come."""
        self._next = min(self._next, deadline)

    @property
    def seconds_left(self) -> float:
        """Until the next deadline; infinite where there is none."""
        return self._next - monotonic()

    def passed(self, requests: Mapping[str, Limited]) -> list[str]:
        """The ids of the requests whose deadline has passed."""
        now = monotonic()
        if now < self._next:
            return []
        late = [request_id for request_id, request in requests.items() if request.deadline <= now]
        self._next = min(
            (request.deadline for request in requests.values() if request.deadline > now), default=math.inf
        )
        return late


def too_late() -> RequestFailed:
    """Nobody waits any more for an answer that had begun."""
    return RequestFailed(
        "too_late",
        "The deadline of the request has passed before its answer was whole.",
        hint="Ask for less at once, or allow more time (`timeouts` of the model entry).",
    )
