"""The connections to one runtime: aiohttp's pool, and a second try where a connection was closed while it was idle.

aiohttp is used directly, since building the requests and answers of httpx costs more than sending them;
`Connections.transport` is the same pool as a transport of httpx.
"""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Mapping
from functools import cached_property
from ssl import SSLContext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import ResolveResult

from llamafarm.http import socks
from llamafarm.http.proxies import Proxy

if TYPE_CHECKING:
    import httpx

MAX_CONNECTIONS = 1000
KEEP_ALIVE_SECONDS = 30.0
CLOSING_SECONDS = 2.0
"""How long a server's closing of an idle connection may be on its way to us; a later one comes from its work."""
MAX_HEADER_BYTES = 64 * 1024
MAX_COPIED_BYTES = 1024 * 1024
"""A larger body is sent in pieces, so that the event loop goes on meanwhile."""


class Lost(aiohttp.ClientPayloadError):
    """The connection ended before the answer had come. answered: whether a part of it had.

    Not one of aiohttp's own errors for this: aiohttp asks again after those, whether the connection was a reused one or
    not. (`httpx_aiohttp` makes a ReadError of it.)
    """

    def __init__(self, reason: str, *, answered: bool) -> None:
        super().__init__(reason)
        self.answered = answered


class Connections:
    """Connections to one origin, kept alive. headers: sent with every request. connect: seconds a new one may take.

    A request on a reused connection that the server closes within CLOSING_SECONDS, before the first byte of its answer,
    is sent once more, on a fresh one: the two have crossed. Above MAX_CONNECTIONS requests wait for their turn.
    """

    def __init__(self, headers: Mapping[str, str], connect: float, tls: SSLContext | None, proxy: Proxy | None) -> None:
        self._headers = headers
        self._connect = connect
        self._tls = tls
        self._proxy = proxy
        self._sessions: list[aiohttp.ClientSession] = []

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, *, keep: bool = True
    ) -> aiohttp.ClientResponse:
        """Send a request and return the answer once its head is there. Raises what aiohttp raises, and Lost.

        keep: whether the connection may be an old one, and be used again.
        """
        use = SimpleNamespace(is_reused=False)  # what is known of the connection
        options: Any = {"headers": headers, "allow_redirects": False, "trace_request_ctx": use}
        if keep:
            sent = asyncio.get_running_loop().time()
            try:
                return await self._kept.request(method, url, data=_data(body), **options)
            except Lost as lost:
                late = asyncio.get_running_loop().time() - sent > CLOSING_SECONDS
                if lost.answered or late or not use.is_reused:
                    raise
        return await self._fresh.request(method, url, data=_data(body), **options)

    def transport(self) -> httpx.AsyncBaseTransport:
        """The same connections as a transport of httpx."""
        from llamafarm.http.transport import SharedTransport

        return SharedTransport(lambda: self._kept)

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""
        for session in self._sessions:
            await session.close()

    @cached_property
    def _kept(self) -> aiohttp.ClientSession:
        return self._session(keepalive_timeout=KEEP_ALIVE_SECONDS)

    @cached_property
    def _fresh(self) -> aiohttp.ClientSession:
        return self._session(force_close=True)

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        options |= {"limit": MAX_CONNECTIONS, "ssl": self._tls or True}
        connector, proxy, middlewares = None, None, [_once]
        if self._proxy is not None and self._proxy.is_socks:
            connector = socks.connector(self._proxy.url, **options)
            middlewares.append(socks.translated)
        elif self._proxy is not None:
            proxy = self._proxy.url
        session = aiohttp.ClientSession(
            connector=connector or aiohttp.TCPConnector(resolver=_Resolver(self._connect), **options),
            proxy=proxy,
            middlewares=middlewares,
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
            trace_configs=[_TRACE],
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        self._sessions.append(session)
        return session


def _data(body: bytes | None) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if body is not None and len(body) > MAX_COPIED_BYTES else body


async def _note_reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    if context.trace_request_ctx is not None:  # a library's own request has none
        context.trace_request_ctx.is_reused = True


_TRACE = aiohttp.TraceConfig()
_TRACE.on_connection_reuseconn.append(_note_reuse)


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: see `Lost`."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError as error:
        raise Lost("", answered=not isinstance(error.message, str)) from error
    except (aiohttp.ClientOSError, aiohttp.ClientConnectionResetError) as error:
        raise Lost("", answered=False) from error


class _Resolver(aiohttp.ThreadedResolver):
    """Looks names up; aiohttp's own time limit for connecting does not count that."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        async with asyncio.timeout(self._seconds):
            return await super().resolve(host, port, family)
