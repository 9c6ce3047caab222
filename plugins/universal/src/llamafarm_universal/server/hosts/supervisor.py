"""Keeps a child process running: starts it, starts it again when it dies, and says so when it cannot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from llamafarm_universal.messages import Event, Failed, Ready
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.messages.statistics import Stats
from llamafarm_universal.server.errors import HOST_CHILD, Child, describe_exit
from llamafarm_universal.server.hosts.client import HostClient
from llamafarm_universal.server.hosts.entry import ENGINE_HOST
from llamafarm_universal.server.hosts.running import Request, Running

log = logging.getLogger(__name__)

HostState = Literal["starting", "ready", "restarting", "failed", "stopped"]

MAX_FAILURES = 4
"""Deaths in a row, with no request to blame, after which the host counts as failed."""
FIRST_DELAY = 0.25
"""Seconds before the second attempt after deaths in a row; each further one waits twice as long."""
MAX_DELAY = 30.0
REVIVE_SECONDS = 30.0
"""After this long a new request lets a failed host try once more."""
START_SECONDS = 300.0
"""How long a request waits for the host: importing torch from a cold disk takes a minute."""


class Supervisor:
    """One child, whichever process it is at the moment: an engine host, or another one that speaks the messages.

    options: what it is started with. died: told of each death that nobody asked for, with how it ended. told: what
    engines have counted.
    """

    def __init__(
        self,
        options: Limits,
        *,
        child: Child = HOST_CHILD,
        target: str = ENGINE_HOST,
        died: Callable[[str], None] = lambda _: None,
        told: Callable[[Stats], None] = lambda _: None,
    ) -> None:
        self.state: HostState = "starting"
        self.cause: str | None = None
        """Why the state is `failed`."""
        self.deaths = 0
        """How often its process has died although nobody asked for that."""
        self.ready: Ready | None = None
        self._options = options
        self._child = child
        self._target = target
        self._died = died
        self._told = told
        self._client: HostClient | None = None
        self._changed = asyncio.Event()
        self._useless = 0
        self._failures = 0
        self._failed_at = 0.0
        self._restart: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The host's process id, None between two of them."""
        return self._client.pid if self._client else None

    def start(self) -> None:
        """Start the process; it is waited for by whoever asks it."""
        self._client = HostClient(
            self._options, child=self._child, on_event=self._receive, on_end=self._host_ended, target=self._target
        )
        self._client.start()

    async def wait_ready(self) -> Ready:
        """What the host says of itself, once it does. Raises ServiceError."""
        await self._ready_client()
        assert self.ready is not None
        return self.ready

    async def submit(self, *requests: Request, repeat: Callable[[Running], Awaitable[None]] | None = None) -> Running:
        """Send commands to the host, waiting until it is there. Raises ServiceError.

        repeat: how they are asked once more where a dead host has not heard them; by default of the next one.
        """
        running = Running(requests, repeat or self.send)
        await self.send(running)
        return running

    async def send(self, running: Running) -> None:
        """Send commands, once more maybe. Raises ServiceError."""
        client = await self._ready_client()
        self._failures = 0
        client.submit(running)

    def forget(self, running: Running) -> None:
        """Drop commands: what has not ended is cancelled."""
        if self._client is not None:
            self._client.forget(running)

    async def recycle(self) -> None:
        """Have a new process in the place of the present one, which nobody needs any more."""
        client, self._client = self._client, None
        if client is None:
            return
        self._set_state("restarting")
        await client.stop()
        if not self._closing:
            self.start()

    async def close(self) -> None:
        """End the process."""
        self._closing = True
        if self._restart is not None:
            self._restart.cancel()
        if self._client is not None:
            await self._client.stop()
        self._set_state("stopped")

    async def _ready_client(self) -> HostClient:
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    self._revive()
                    if self.state == "failed":
                        raise self._child.failed(self.cause or "the cause is unknown.")
                    if self.state == "stopped":
                        raise self._child.failed("the server is stopping.")
                    if self.state == "ready" and self._client is not None and self._client.alive():
                        return self._client
                    await self._changed.wait()
        except TimeoutError:
            raise self._child.starting(START_SECONDS) from None

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
                self._set_state("ready")
            case Stats():
                self._told(event)
            case Failed():
                self.cause = f"{event.message} {event.hint}" if event.hint else event.message
                log.error("%s", self.cause)

    def _host_ended(self, client: HostClient) -> None:
        if client is not self._client:  # it was recycled
            return
        self._client = None
        if self._closing:
            return
        how = describe_exit(client.exit_code)
        log.error("The %s ended (%s).", self._child.title, how)
        self.deaths += 1
        self._useless = 0 if client.was_useful else self._useless + 1
        self._failures = 0 if client.died_busy else self._failures + 1
        if self._failures < MAX_FAILURES:
            self._set_state("restarting")
            self._restart_later()
        else:
            self._give_up(how)
        self._died(how)

    def _restart_later(self) -> None:
        """At once after the first death: most often somebody killed it, or the system did."""
        delay = min(FIRST_DELAY * 2 ** (self._useless - 2), MAX_DELAY) if self._useless > 1 else 0.0
        self._restart = asyncio.get_running_loop().call_later(delay, self.start)

    def _give_up(self, how: str) -> None:
        self._failed_at = asyncio.get_running_loop().time()
        self.cause = self.cause or f"it ended {self._failures} times in a row ({how}); the server's log says why."
        self._set_state("failed")

    def _set_state(self, state: HostState) -> None:
        """Wake everybody who waits for a change; each looks for itself what it is."""
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
