"""A streamed answer: the reply's frames as they come, a comment in every long silence, and a clear end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

from starlette.types import Send

from llamafarm.errors import LlamaFarmError, ServiceError
from llamafarm.providers.base import Reply
from llamafarm.wire.envelope import error_event
from llamafarm.wire.sse import KEEP_ALIVE

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold frames back
)
FRAME_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
FAREWELL_SECONDS = 1.0
log = logging.getLogger(__name__)


async def send_stream(reply: Reply, send: Send, *, keep_alive: float) -> None:
    """Send `reply` as server-sent events; `keep_alive` is in seconds.

    An error in the middle is one error event and the end, without `[DONE]`. So is a cancellation, which comes when the
    server stops; a client that has gone away reads neither.
    """
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
    body = _Body(send)
    beating = asyncio.create_task(body.beat(keep_alive))
    try:
        async with aclosing(reply.frames()) as frames:
            async for frame in frames:
                await body.write(frame)
        await body.end()
    except asyncio.CancelledError:
        await _say_farewell(body)
    except LlamaFarmError as error:
        await body.end(error)
    except Exception:
        log.exception("A stream failed.")
        await body.end(LlamaFarmError("The server failed in the middle of the answer.", code="internal_error"))
    finally:
        beating.cancel()


async def _say_farewell(body: _Body) -> None:
    """Tell the client why the answer ends here; one that does not read is not waited for."""
    try:
        async with asyncio.timeout(FAREWELL_SECONDS):
            await body.end(ServiceError("The server is stopping.", code="server_stopping"))
    except TimeoutError:
        log.debug("A client did not read that the server is stopping.")


class _Body:
    """The body of one answer; comments go only between frames."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._between = True
        self._last = asyncio.get_running_loop().time()

    async def write(self, piece: bytes) -> None:
        self._between = piece.endswith(FRAME_ENDS)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._last = asyncio.get_running_loop().time()

    async def beat(self, interval: float) -> None:
        """Send a comment after every `interval` seconds of silence."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._last + interval - loop.time()))
            if loop.time() - self._last >= interval:
                if self._between:
                    await self._send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
                self._last = loop.time()

    async def end(self, error: LlamaFarmError | None = None) -> None:
        last = b"" if error is None else (b"" if self._between else b"\n\n") + error_event(error)
        await self._send({"type": "http.response.body", "body": last, "more_body": False})
