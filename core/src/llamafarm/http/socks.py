"""Connections through a SOCKS5 proxy, by aiohttp-socks, which is an extra of the core (`llamafarm[socks]`)."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp

PORT = 1080
"""Where a SOCKS proxy is whose address has no port (RFC 1928)."""
CLOSED = "it closed the connection"
UNAUTHENTICATED = "it wants to know who asks"
"""What is said of an error that credentials would cure."""


class SocksRefused(aiohttp.ClientError):
    """The proxy does not let us through; in words."""


def connector(url: str, **options: Any) -> aiohttp.BaseConnector:
    """A pool of connections through the proxy at `url`, which looks names up itself. options: of aiohttp's pool."""
    from aiohttp_socks import ProxyConnector

    parts = urlsplit(url)
    return ProxyConnector(
        parts.hostname or "",
        parts.port or PORT,
        username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        rdns=True,
        **options,
    )


async def translated(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request; what the proxy does wrong is an error of aiohttp's kind."""
    from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

    try:
        return await send(request)
    except ProxyTimeoutError as error:
        raise aiohttp.ConnectionTimeoutError(str(error)) from error
    except ProxyConnectionError as error:
        raise aiohttp.ClientProxyConnectionError(request.connection_key, OSError(str(error))) from error
    except ProxyError as error:
        raise SocksRefused(_words(error, request.url.host or "")) from error
    except EOFError as error:
        raise SocksRefused(CLOSED) from error
    except ssl.SSLError as error:
        raise aiohttp.ClientConnectorError(request.connection_key, error) from error


def _words(error: Any, host: str) -> str:
    words = str(error)
    if error.error_code is not None:
        return f"it cannot connect to {host}: {words.lower()}"
    if "version" in words:
        return "it does not speak SOCKS5"
    return UNAUTHENTICATED if "authentication" in words else CLOSED
