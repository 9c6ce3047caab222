"""What the host tells: events are kept through a turn and leave together."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection

from llamafarm_universal.messages import Event


class Outbox:
    """The way to the server. Where the server is gone, so is the process: nobody reads its answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        """Keep an event for the end of this turn."""
        self._events.append(event)

    def flush(self) -> None:
        """Send what this turn has brought, in one message."""
        if not self._events:
            return
        events, self._events = tuple(self._events), []
        try:
            self._connection.send(events)
        except OSError:
            os._exit(0)
