"""What all requests share: the engine host, the handles, and how much may be under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamafarm.errors import RateLimited

from llamafarm_universal.media.spool import Spool
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.messages import Machine
from llamafarm_universal.server.activity import Activity
from llamafarm_universal.server.errors import RETRY_SECONDS
from llamafarm_universal.server.handles import Handles
from llamafarm_universal.server.host_entry import ENGINE_HOST
from llamafarm_universal.server.running import Request, Running
from llamafarm_universal.server.settings import Settings
from llamafarm_universal.server.store import STORE, Store
from llamafarm_universal.server.supervisor import Supervisor


class Runtime:
    """The state of one server. It is made before the event loop runs; `running` starts and ends the host."""

    def __init__(self, settings: Settings, *, target: str = ENGINE_HOST, store: str = STORE) -> None:
        self.settings = settings
        self.activity = Activity()
        self.handles = Handles(settings.operator)
        self.supervisor = Supervisor(settings.options, target=target)
        self.store = Store(settings.options, self._machine, target=store)
        self.spool = Spool.open(settings.media.spool, settings.media)
        self.under_way = 0
        """Slots that are taken: sequences that run or wait, and other work."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.supervisor.start()
        self.store.start()
        try:
            yield
        finally:
            await asyncio.gather(self.supervisor.close(), self.store.close())
            await in_thread(self.spool.close)

    async def submit(self, requests: tuple[Request, ...], *, slots: int) -> Ticket:
        """Send commands to the host. slots: how many sequences or inputs of work they are together.

        Raises RateLimited where too much is under way, ServiceError where there is no host.
        """
        if self.under_way + slots > self.settings.max_requests and self.under_way:
            raise RateLimited(
                f"The runtime is busy: {self.under_way} answers are running or waiting.",
                hint="Ask again later, or ask for fewer at once.",
                retry_after=RETRY_SECONDS,
            )
        self.under_way += slots
        try:
            return Ticket(self, await self.supervisor.submit(*requests), slots)
        except BaseException:
            self.under_way -= slots
            raise

    async def _machine(self) -> Machine:
        return (await self.supervisor.wait_ready()).machine

    def give_back(self, ticket: Ticket) -> None:
        self.under_way -= ticket.slots
        self.supervisor.forget(ticket.events)


class Ticket:
    """Commands under way, and their share of the limit. Whoever holds it closes it."""

    def __init__(self, runtime: Runtime, events: Running, slots: int) -> None:
        self.events = events
        self.slots = slots
        self._runtime: Runtime | None = runtime

    def close(self) -> None:
        """Give the share back and cancel what has not ended; calling twice does nothing."""
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            runtime.give_back(self)
