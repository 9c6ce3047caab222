"""A child's end of the pipe to the server: commands come one by one, the events of a turn leave together."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from llamafarm_universal.messages import Command, Event, Stop
from llamafarm_universal.working_folder import leave_deleted_folder

log = logging.getLogger(__name__)


class Outbox:
    """The way to the server. Where the server is gone, so is the process: nobody reads its answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._events: list[Event] = []
        self._sending = threading.Lock()

    def add(self, event: Event) -> None:
        """Keep an event for the end of this turn."""
        self._events.append(event)

    def flush(self) -> None:
        """Send what this turn has brought, in one message."""
        if not self._events:
            return
        events, self._events = tuple(self._events), []
        self._send(events)

    def send(self, event: Event) -> None:
        """Send an event now, from any thread: it belongs to no turn."""
        self._send((event,))

    def _send(self, events: tuple[Event, ...]) -> None:
        try:
            with self._sending:
                self._connection.send(events)
        except OSError:
            os._exit(0)


def read_commands(connection: Connection, take: Callable[[Command], None]) -> None:
    """Hand on each command; for a thread of its own.

    The end of the connection or Stop ends the process at once: nobody reads its answers.
    """
    code = 1
    try:
        while not isinstance(command := connection.recv(), Stop):
            leave_deleted_folder()
            take(command)
        code = 0
    except (EOFError, OSError):
        code = 0
    except Exception:
        log.exception("The server sent something that cannot be read")
    finally:
        os._exit(code)
