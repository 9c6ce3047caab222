"""An answer whose bytes pass through: pictures, sound, subtitles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llamafarm.errors import LlamaFarmError

log = logging.getLogger(__name__)


class PassingAnswer(Response):
    """Sends pieces as they come, and calls `close` once the answer has ended, whyever.

    What breaks off is left broken off: the connection ends without the end of the body, so that no client takes half
    a file for a whole one.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        media_type: str,
        *,
        close: Callable[[], Awaitable[None] | None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers={**(headers or {}), "content-type": media_type})
        del self.headers["content-length"]
        self._pieces = pieces
        self._close = close

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._pieces):
                await self._send(send)
        finally:
            closing = self._close()
            if closing is not None:
                await closing

    async def _send_head(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send(self, send: Send) -> None:
        """Send all there is. Returning before the end makes the server close the connection."""
        first = await anext(self._pieces, b"")  # what fails before it is a status
        await self._send_head(send)
        try:
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            return  # the server stops, or nobody reads
        except LlamaFarmError as error:
            log.warning("An answer broke off: %s", error)
        except Exception:
            log.exception("An answer failed.")
