"""HTTP to a server: what it refused with, and no answer that is larger than memory should hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx2

MAX_MESSAGE = 32 * 1024 * 1024
"""Bytes of one message of a server; a larger one is an error."""


class LastStatus:
    """Remembers how the server answered last, since the library does not tell it."""

    def __init__(self) -> None:
        self.code = 0
        self.refusal = ""

    async def __call__(self, response: httpx2.Response) -> None:
        self.code = response.status_code
        refused = response.status_code >= httpx2.codes.BAD_REQUEST
        self.refusal = f"HTTP {response.status_code} {response.reason_phrase}" if refused else ""


def http_client(headers: Mapping[str, str], status: LastStatus, timeout: float) -> httpx2.AsyncClient:
    """A client without limits of its own on how long a call may take: whoever calls has one. timeout: to connect."""
    return httpx2.AsyncClient(
        headers=dict(headers),
        timeout=httpx2.Timeout(None, connect=timeout, pool=timeout),
        transport=_Bounded(),
        event_hooks={"response": [status]},
    )


class _Bounded(httpx2.AsyncHTTPTransport):
    """Ends a whole answer that grows beyond `MAX_MESSAGE`; of streams the library bounds each event."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_MESSAGE:
                raise httpx2.StreamError(f"the message is larger than {MAX_MESSAGE >> 20} MiB")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
