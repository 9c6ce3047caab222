"""Keeps an engine host running: starts it, starts it again when it dies, and says so when it cannot."""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from llamafarm.errors import ServiceError

from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.messages import Event, Failed, LoadedModel, Models, Ready
from llamafarm_universal.server.errors import describe_exit, host_failed
from llamafarm_universal.server.host_client import HostClient
from llamafarm_universal.server.host_entry import ENGINE_HOST
from llamafarm_universal.server.running import Request, Running

log = logging.getLogger(__name__)

HostState = Literal["starting", "ready", "restarting", "failed"]

MAX_FAILURES = 4
"""Deaths in a row, with no request to blame, after which the host counts as failed."""
FIRST_DELAY = 0.25
"""Seconds before the second attempt; each further one waits twice as long."""
REVIVE_SECONDS = 30.0
"""After this long a new request lets a failed host try once more."""
START_SECONDS = 300.0
"""How long a request waits for the host: importing torch from a cold disk takes a minute."""


class Supervisor:
    """The one engine host of this server, whichever process it is at the moment."""

    def __init__(self, options: HostOptions, *, target: str = ENGINE_HOST) -> None:
        self.state: HostState = "starting"
        self.cause: str | None = None
        """Why the state is `failed`."""
        self.ready: Ready | None = None
        self.loaded: tuple[LoadedModel, ...] = ()
        self._options = options
        self._target = target
        self._client: HostClient | None = None
        self._unheard: list[Running] = []
        self._changed = asyncio.Event()
        self._failures = 0
        self._failed_at = 0.0
        self._restart: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The host's process id, None between two of them."""
        return self._client.pid if self._client else None

    def start(self) -> None:
        self._client = HostClient(self._options, on_event=self._receive, on_end=self._host_ended, target=self._target)
        self._client.start()

    async def wait_ready(self) -> Ready:
        """What the host says of itself, once it does. Raises ServiceError."""
        await self._ready_client()
        assert self.ready is not None
        return self.ready

    async def submit(self, *requests: Request) -> Running:
        """Send commands to the host, waiting until it is there. Raises ServiceError."""
        client = await self._ready_client()
        self._failures = 0
        running = Running(requests)
        client.submit(running)
        return running

    def forget(self, running: Running) -> None:
        """Drop a request: what has not ended is cancelled."""
        if running in self._unheard:
            self._unheard.remove(running)
        if self._client is not None:
            self._client.forget(running)

    async def close(self) -> None:
        self._closing = True
        if self._restart is not None:
            self._restart.cancel()
        if self._client is not None:
            await self._client.stop()

    async def _ready_client(self) -> HostClient:
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    self._revive()
                    if self.state == "failed":
                        raise host_failed(self.cause or "the cause is unknown.")
                    if self.state == "ready" and self._client is not None and self._client.alive():
                        return self._client
                    await self._changed.wait()
        except TimeoutError:
            raise ServiceError(
                f"The engine host is not ready after {START_SECONDS:g} s.", code="engine_host_starting"
            ) from None

    def _revive(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.state == "failed" and now - self._failed_at > REVIVE_SECONDS:
            self._failures = MAX_FAILURES - 1
            self._set_state("restarting")
            self.start()

    def _receive(self, event: Event) -> None:
        match event:
            case Ready():
                self.ready = event
                self.cause = None
                self._repeat_unheard()
                self._set_state("ready")
            case Models():
                self.loaded = event.loaded
            case Failed():
                self.cause = f"{event.message} {event.hint}" if event.hint else event.message
                log.error("%s", self.cause)

    def _host_ended(self, client: HostClient) -> None:
        self._client = None
        self.loaded = ()
        self._unheard += client.unheard
        if self._closing:
            self._refuse_unheard()
            return
        how = describe_exit(client.exit_code)
        log.error("The engine host ended (%s).", how)
        self._failures = 0 if client.died_busy else self._failures + 1
        if self._failures < MAX_FAILURES:
            self._set_state("restarting")
            self._restart_later()
        else:
            self._give_up(how)

    def _restart_later(self) -> None:
        """At once after the first death: most often somebody killed it, or the system did."""
        delay = FIRST_DELAY * 2 ** (self._failures - 2) if self._failures > 1 else 0.0
        self._restart = asyncio.get_running_loop().call_later(delay, self.start)

    def _give_up(self, how: str) -> None:
        loop = asyncio.get_running_loop()
        self._failed_at = loop.time()
        self.cause = self.cause or f"it ended {self._failures} times in a row ({how}); the server's log says why."
        self._refuse_unheard()
        self._set_state("failed")

    def _repeat_unheard(self) -> None:
        """Ask a new host what the old one was asked when it was dead already."""
        assert self._client is not None
        unheard, self._unheard = self._unheard, []
        for running in unheard:
            self._client.submit(running)

    def _refuse_unheard(self) -> None:
        unheard, self._unheard = self._unheard, []
        for running in unheard:
            running.deliver(host_failed(self.cause or "the server is stopping."))

    def _set_state(self, state: HostState) -> None:
        """Wake everybody who waits for a change; each looks for itself what it is."""
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
