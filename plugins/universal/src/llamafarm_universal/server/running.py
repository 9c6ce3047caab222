"""The events of commands that the engine host is working on, as the server's handlers read them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llamafarm.errors import LlamaFarmError

from llamafarm_universal.messages import Answer, Cancel, Command, Failed, HostRequest, Run, StoreRequest
from llamafarm_universal.server.errors import failure

Request = HostRequest | StoreRequest
REPEAT_SECONDS = 1.0
"""A killed host is noticed within this time."""


class Running:
    """One or more commands that belong to one HTTP request, and the queue of what the host says about them.

    Whoever holds it closes it: what has not ended by then is cancelled in the host.
    """

    def __init__(self, requests: tuple[Request, ...]) -> None:
        self.requests = requests
        self._send: Callable[[Command], None] | None = None
        self._sent_at = 0.0
        self._times_sent = 0
        self._heard = False
        self._remaining = {request.request_id: _last_events(request) for request in requests}
        self._queue: asyncio.Queue[Answer | LlamaFarmError] = asyncio.Queue()

    @property
    def ended(self) -> bool:
        """All last events have been read, or a failure."""
        return not self._remaining

    @property
    def may_repeat(self) -> bool:
        """Whether the host may have been dead when this was sent: then sending it once more is safe and right."""
        now = asyncio.get_running_loop().time()
        return not self._heard and self._times_sent == 1 and now - self._sent_at < REPEAT_SECONDS and not self.ended

    def send(self, send: Callable[[Command], None]) -> None:
        """Send the commands to a host."""
        self._send = send
        self._sent_at = asyncio.get_running_loop().time()
        self._times_sent += 1
        for request in self.requests:
            send(request)

    def deliver(self, event: Answer | LlamaFarmError) -> None:
        self._heard = True
        self._queue.put_nowait(event)

    async def next(self) -> Answer:
        """Return the next event. Raises LlamaFarmError where the host refused, failed or died."""
        event = await self._queue.get()
        if isinstance(event, LlamaFarmError):
            self._remaining.clear()
            raise event
        if isinstance(event, Failed):
            self._remaining.pop(event.request_id, None)
            raise failure(event)
        if event.is_last:
            self._count_down(event.request_id)
        return event

    def _count_down(self, request_id: str) -> None:
        self._remaining[request_id] -= 1
        if self._remaining[request_id] == 0:
            del self._remaining[request_id]

    def cancel(self) -> None:
        """Cancel in the host whatever has not ended; calling twice does nothing."""
        if self._send is not None:
            for request_id in self._remaining:
                self._send(Cancel(request_id))
        self._remaining.clear()


def _last_events(request: Request) -> int:
    return request.work.answers if isinstance(request, Run) else 1
