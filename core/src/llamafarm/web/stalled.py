"""Clients that hold a connection and neither send nor read: each is closed after a while, and what it held is free."""

from __future__ import annotations

import time
from collections.abc import Collection, Hashable
from typing import Any

HEAD_SECONDS = 30.0
"""How long the head of a request may take from its first byte, and from the opening of a connection."""
READ_SECONDS = 60.0
"""How long a client may leave what was sent to it unread."""


class Stalled:
    """Looks at uvicorn's connections from time to time, so that no request pays for it.

    head: seconds that the head of a request may take. read: seconds that a client may leave an answer unread.
    """

    def __init__(self, *, head: float = HEAD_SECONDS, read: float = READ_SECONDS) -> None:
        self._limits = {"head": head, "read": read}
        self._seen: dict[Any, tuple[Hashable, float]] = {}

    def close(self, connections: Collection[Any]) -> None:
        """Close those that have been in one state for too long."""
        now = time.monotonic()
        seen: dict[Any, tuple[Hashable, float]] = {}
        for connection in list(connections):
            state = _state(connection)
            if state is None:
                continue
            before, since = self._seen.get(connection, (None, now))
            since = since if before == state else now
            if now - since >= self._limits[state[0]]:
                connection.transport.abort()  # the answer's task sees that its client has gone
            else:
                seen[connection] = (state, since)
        self._seen = seen


def _state(connection: Any) -> tuple[str, Hashable] | None:
    """What a connection waits for its client to do, with what changes once that does it; None where it waits for us."""
    if unread := connection.transport.get_write_buffer_size():
        return "read", unread
    answered = connection.cycle is None or connection.cycle.response_complete
    idle = connection.timeout_keep_alive_task is not None  # uvicorn's own time limit runs
    return ("head", connection.cycle) if answered and not idle else None
