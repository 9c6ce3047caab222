"""Keep-alive connections to one runtime, as a transport of httpx.

httpx's own pool walks over all its connections for every request, which at hundreds of them costs more than the request
itself; here the connection that was used last is taken first, and nothing else is looked at. And this pool knows
whether a connection is a reused one: servers close an idle connection without a word, some of them after every streamed
answer though they promise to keep it, and only the pool can tell that from a server that failed at our request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpcore
import httpx
from anyio import CancelScope

MAX_CONNECTIONS = 1000
KEEP_ALIVE_SECONDS = 30.0
CLOSING_SECONDS = 2.0
"""How long a server's closing of an idle connection may be on its way to us; a later one comes from its work."""
_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ProxyError,
)


class Connections(httpx.AsyncBaseTransport):
    """Connections to one origin. tls: for https only. network: makes them, where they are not direct.

    A request on a reused connection that the server closes within CLOSING_SECONDS, before the first byte of its answer,
    is sent once more, on a fresh one: the two have crossed. Above MAX_CONNECTIONS requests wait for their turn.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        network: httpcore.AsyncNetworkBackend | None = None,
        limit: int = MAX_CONNECTIONS,
    ) -> None:
        self._tls = tls
        self._network = network
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._slots.acquire()
        try:
            connection, answer = await self._send(_raw(request))
        except BaseException as error:
            self._slots.release()
            if isinstance(error, _FAULTS):
                raise _translated(error) from error
            raise
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(self, connection, answer))

    async def _send(self, request: httpcore.Request) -> tuple[httpcore.AsyncHTTPConnection, httpcore.Response]:
        reused = await self._take()
        if reused is not None:
            sent = asyncio.get_running_loop().time()
            try:
                return reused, await _ask(reused, request)
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError) as error:
                late = asyncio.get_running_loop().time() - sent > CLOSING_SECONDS
                if late or not _closed_before_answering(error):
                    raise
        fresh = httpcore.AsyncHTTPConnection(
            origin=request.url.origin,
            ssl_context=self._tls,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=self._network,
        )
        return fresh, await _ask(fresh, request)

    async def _take(self) -> httpcore.AsyncHTTPConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Take back a connection whose answer is closed: kept where it can be used again."""
        self._slots.release()
        if not connection.is_idle():
            return
        if self._closed:
            await connection.aclose()
            return
        self._idle.append(connection)
        if self._idle[0].has_expired():
            await self._idle.pop(0).aclose()

    async def aclose(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of one answer; closing it before its end closes the connection."""

    def __init__(self, pool: Connections, connection: httpcore.AsyncHTTPConnection, answer: httpcore.Response) -> None:
        self._pool = pool
        self._connection = connection
        self._answer = answer
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.aiter_stream():
                yield piece
        except _FAULTS as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._answer.aclose()
        finally:
            await self._pool.give_back(self._connection)


async def _ask(connection: httpcore.AsyncHTTPConnection, request: httpcore.Request) -> httpcore.Response:
    """Send the request; a connection that is not answered is closed, also where the waiting is cancelled."""
    try:
        return await connection.handle_async_request(request)
    except BaseException:
        with CancelScope(shield=True):
            await connection.aclose()
        raise


def _raw(request: httpx.Request) -> httpcore.Request:
    url = httpcore.URL(
        scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
    )
    return httpcore.Request(
        request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
    )


def _closed_before_answering(error: Exception) -> bool:
    """Whether the connection ended without an answer; a malformed answer is one."""
    return not isinstance(error, httpcore.RemoteProtocolError) or "without sending a response" in str(error)


def _translated(error: Exception) -> httpx.TransportError:
    """The exception of httpx that has the name of httpcore's: the two trees are alike."""
    kind = getattr(httpx, type(error).__name__, httpx.TransportError)
    translated = kind(str(error))
    assert isinstance(translated, httpx.TransportError)
    return translated
