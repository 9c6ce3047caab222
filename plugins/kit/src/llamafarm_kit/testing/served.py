"""A server in a thread of the test, on a free port of the loopback address, always stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from llamafarm.web import Server, listen, url_of

BOUND = 30.0
"""How many seconds a server may take to start, and to stop."""


@contextmanager
def served(server: Server) -> Iterator[str]:
    """Run `server` and give its URL, without a path. Raises AssertionError where it does not start or does not stop."""
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join(BOUND)
            assert not thread.is_alive(), "the server does not stop"


def _wait_until_started(server: Server, thread: threading.Thread) -> None:
    end = time.monotonic() + BOUND
    while not server.started:
        assert thread.is_alive(), "the server has ended before it listened"
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.005)
