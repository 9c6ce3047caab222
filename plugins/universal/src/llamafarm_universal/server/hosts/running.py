"""The events of commands that a child process is working on, as the server's handlers read them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from llamafarm_universal.messages import Answer, Cancel, Command, Failed, HostRequest, Run, StoreRequest
from llamafarm_universal.server.errors import failure, host_ended
from llamafarm_universal.server.results import Results, SlowReader

Request = HostRequest | StoreRequest
REPEAT_SECONDS = 1.0
"""A killed process is noticed within this time."""


@dataclass(frozen=True)
class Ended:
    """The process is gone. unheard: it may have been dead already when it was asked: asking once more is right."""

    exit_code: int | None
    unheard: bool


class Running:
    """One or more commands that belong together, and what the process says about them.

    Whoever holds it closes it: what has not ended by then is cancelled. repeat: asks once more, of a new process, what
    the old one has not heard. ended: called once, as soon as the process has nothing more to do for these, whether or
    not what it said has been read.
    """

    def __init__(
        self,
        requests: tuple[Request, ...],
        repeat: Callable[[Running], Awaitable[None]],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.requests = requests
        self._repeat = repeat
        self._tell_ended = ended
        self._send: Callable[[Command], None] | None = None
        self._sent_at = 0.0
        self._times_sent = 0
        self._heard = False
        self._remaining = {request.request_id: _last_events(request) for request in requests}
        self._results: Results[Answer | Ended | SlowReader] = Results()

    @property
    def is_done(self) -> bool:
        """The process has nothing more to say."""
        return not self._remaining

    @property
    def ended(self) -> bool:
        """The process has done it all, or failed, and all that it said has been read."""
        return not self._remaining and not len(self._results)

    def send(self, send: Callable[[Command], None]) -> None:
        """Send the commands to a process."""
        self._send = send
        self._sent_at = asyncio.get_running_loop().time()
        self._times_sent += 1
        for request in self.requests:
            send(request)

    def deliver(self, event: Answer) -> None:
        """Keep what the process says. Where nobody reads it, it is not kept without bounds."""
        self._heard = True
        self._results.put(event)
        if event.is_last:
            self._count_down(event)
        elif self._results.are_too_many:
            self._results.put(self._results.slow_reader())
            self.cancel()

    def lose(self, exit_code: int | None) -> None:
        """The process that these were sent to is gone."""
        self._send = None
        now = asyncio.get_running_loop().time()
        unheard = not self._heard and self._times_sent == 1 and now - self._sent_at < REPEAT_SECONDS
        self._results.put(Ended(exit_code, unheard))
        if not unheard:
            self._end()

    async def next(self) -> Answer:
        """Return the next event. Raises LlamaFarmError where the process refused, failed or died, or nobody read."""
        while isinstance(event := await self._results.take(), Ended):
            if not event.unheard:
                raise host_ended(event.exit_code)
            try:
                await self._repeat(self)
            except BaseException:
                self._end()
                raise
        if isinstance(event, Failed):
            raise failure(event)
        if isinstance(event, SlowReader):
            raise event
        return event

    def cancel(self) -> None:
        """Cancel whatever has not ended; calling twice does nothing."""
        if self._send is not None:
            for request_id in self._remaining:
                self._send(Cancel(request_id))
        self._end()

    def _count_down(self, event: Answer) -> None:
        """One that fails takes the others with it: they are one request of a client."""
        self._remaining[event.request_id] -= 1
        if self._remaining[event.request_id] <= 0 or isinstance(event, Failed):
            del self._remaining[event.request_id]
        if isinstance(event, Failed):
            self.cancel()
        elif not self._remaining:
            self._end()

    def _end(self) -> None:
        """Nothing more comes of these. Told once."""
        self._remaining.clear()
        tell, self._tell_ended = self._tell_ended, lambda: None
        tell()


def _last_events(request: Request) -> int:
    return request.work.answers if isinstance(request, Run) else 1
