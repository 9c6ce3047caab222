"""How many bytes of requests the server holds: of those that come, wait for their turn, or are being answered."""

from __future__ import annotations

from llamafarm.errors import RateLimited
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llamafarm_universal.server.errors import RETRY_SECONDS

FREE_BYTES = 64 * 1024
"""What each body may have without being counted, so that a few with large ones turn nobody away who sends a message."""


class Bodies:
    """limit: how many bytes all bodies may hold together, beyond the first FREE_BYTES of each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int, before: int) -> None:
        """Count bytes that have come of a request, of which so many are counted already.

        Raises RateLimited where that is too much. One that is alone is taken, however large it may be.
        """
        if self.held > before and self.held + size > self._limit:
            raise RateLimited(
                f"The server holds {self.held:,} bytes of requests that wait or are being answered, "
                f"of {self._limit:,} that it may: this one is too large now.",
                hint="Ask again later, or send less at once.",
                retry_after=RETRY_SECONDS,
            )
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size


class HeldBody:
    """An ASGI application that counts the body of a request from its first piece to the end of the answer."""

    def __init__(self, app: ASGIApp, bodies: Bodies) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = held = 0

        async def counted() -> Message:
            nonlocal size, held
            message = await receive()
            size += len(message.get("body", b""))
            more = max(size - FREE_BYTES, 0) - held
            if more:
                self._bodies.take(more, held)
                held += more
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._bodies.give_back(held)
