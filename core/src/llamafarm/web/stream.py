"""A streamed answer: server-sent events as they come, a comment in every long silence, and a clear end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from starlette.types import Send

from llamafarm.errors import LlamaFarmError
from llamafarm.web.endpoint import server_stopping
from llamafarm.web.passing import PassingAnswer
from llamafarm.wire.envelope import error_event
from llamafarm.wire.sse import KEEP_ALIVE

FRAME_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
KEEP_ALIVE_SECONDS = 12.0
"""After so much silence a comment is sent, where nobody says otherwise."""
FAREWELL_SECONDS = 1.0
"""How long a client that does not read is waited for when the server stops."""
log = logging.getLogger(__name__)


class EventStream(PassingAnswer):
    """An answer of server-sent events.

    frames: SSE bytes, which may be cut anywhere. close: called once the answer has ended, whyever. keep_alive: seconds
    of silence before a comment is sent. error_frame: how an error in the middle is written.

    Such an error is one event and the end, without `[DONE]`. So is a cancellation, which comes when the server stops; a
    client that has gone away reads neither.
    """

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        *,
        close: Callable[[], Awaitable[None] | None],
        keep_alive: float = KEEP_ALIVE_SECONDS,
        headers: Mapping[str, str] | None = None,
        error_frame: Callable[[LlamaFarmError], bytes] = error_event,
    ) -> None:
        own = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx would hold frames back
        super().__init__(frames, "text/event-stream; charset=utf-8", close=close, headers={**own, **(headers or {})})
        self._keep_alive = keep_alive
        self._error_frame = error_frame

    async def _send(self, send: Send) -> None:
        """Send in a task of its own: each chunk wakes what waits for it, and would wake all that stands above too."""
        await self._send_head(send)
        body = _Body(send, self._keep_alive)
        sending = asyncio.create_task(self._send_whole(body))
        try:
            await sending
        except asyncio.CancelledError:
            if sending.cancelled():
                await self._say_farewell(body)
        finally:
            body.be_silent()

    async def _send_whole(self, body: _Body) -> None:
        await body.end(await self._send_frames(body))

    async def _send_frames(self, body: _Body) -> bytes:
        """Send all there are, and return what is left to say: nothing, or what went wrong."""
        try:
            async for frame in self._pieces:
                await body.write(frame)
        except LlamaFarmError as error:
            return self._error_frame(error)
        except Exception:
            log.exception("A stream failed.")
            failed = LlamaFarmError("The server failed in the middle of the answer.", code="internal_error")
            return self._error_frame(failed)
        return b""

    async def _say_farewell(self, body: _Body) -> None:
        """Tell the client why the answer ends here; one that does not read is not waited for."""
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await body.end(self._error_frame(server_stopping()))
        except TimeoutError:
            log.debug("A client did not read that the server is stopping.")


class _Body:
    """The body of one answer. keep_alive: seconds of silence before a comment; comments go only between frames."""

    def __init__(self, send: Send, keep_alive: float) -> None:
        self._send = send
        self._keep_alive = keep_alive
        self._loop = asyncio.get_running_loop()
        self._tail = FRAME_ENDS[0]
        self._last = self._loop.time()
        self._comments = self._loop.create_task(self._comment_on_silence())

    async def write(self, piece: bytes) -> None:
        self._tail = piece if len(piece) >= 4 else self._tail[-4:] + piece  # a frame's end may be cut too
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._last = self._loop.time()

    async def end(self, last: bytes) -> None:
        """End the body with `last`, as a frame of its own; no comment follows."""
        self.be_silent()
        cut = b"\n\n" if last and not self._between() else b""
        await self._send({"type": "http.response.body", "body": cut + last, "more_body": False})

    def be_silent(self) -> None:
        """Send no more comments."""
        self._comments.cancel()

    def _between(self) -> bool:
        return self._tail.endswith(FRAME_ENDS)

    async def _comment_on_silence(self) -> None:
        while True:
            await asyncio.sleep(self._last + self._keep_alive - self._loop.time())
            now = self._loop.time()
            if now - self._last >= self._keep_alive:
                self._last = now
                if self._between():
                    await self.write(KEEP_ALIVE)
