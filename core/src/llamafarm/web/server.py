"""uvicorn, set up as every server of LlamaFarm runs it, from the first request to a clean end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from llamafarm.web.corked import Protocol
from llamafarm.web.listener import url_of
from llamafarm.web.stalled import Stalled

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients keep theirs, so that none is closed under a request."""
TICKS_PER_SECOND = 10
FAREWELL_SECONDS = 2.0
"""How long answers that were not done in time may take to say so: longer than an event stream takes for it."""


class Server(uvicorn.Server):
    """One ASGI application on one listening socket.

    grace: seconds that running answers may take to end once the server is told to stop. announce: called with the URL,
    without a path, once it listens. stalled: how long it waits for clients. parent: the process that it ends with.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        grace: float,
        announce: Callable[[str], None],
        stalled: Stalled | None = None,
        parent: int | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                lifespan="on",
                ws="none",
                access_log=False,  # ours carries the request id
                log_config=None,
                log_level="warning",
                server_header=False,
                proxy_headers=False,  # nothing depends on who the client is said to be
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._announce = announce
        self._stalled = stalled or Stalled()
        self._parent = parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, and announce it."""
        await super().startup(sockets)
        for listener in sockets or []:
            self._announce(url_of(listener))

    async def on_tick(self, counter: int) -> bool:
        """What is done ten times a second; returns whether to stop."""
        if counter % TICKS_PER_SECOND == 0:
            self._stalled.close(self.server_state.connections)
        if self._parent is not None and os.getppid() != self._parent:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running answers end, or say why they do not."""
        await super().shutdown(sockets)
        if answers := set(self.server_state.tasks):  # cancelled by now; the end of the loop would do it once more
            await asyncio.wait(answers, timeout=FAREWELL_SECONDS)


def run(server: Server, listener: socket.socket) -> None:
    """Serve until SIGTERM, or until Ctrl-C, which is raised as KeyboardInterrupt; both let answers end first."""
    _collect_seldom()
    before = signal.signal(signal.SIGTERM, server.handle_exit)  # uvicorn raises it again once it has stopped
    try:
        server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


def _collect_seldom() -> None:
    """Keep the garbage collector from what is there for good, and from running for every few requests.

    Requests leave hardly any cycles, and walking over all modules and classes again and again was a tenth to a fifth of
    a request's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
