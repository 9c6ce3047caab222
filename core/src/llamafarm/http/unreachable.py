"""Why there is no connection to a runtime, in words: the network, a proxy, a certificate."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp

from llamafarm.errors import ConnectionFailed
from llamafarm.http.proxies import Proxy
from llamafarm.http.socks import UNAUTHENTICATED, SocksRefused
from llamafarm.providers.base import Endpoint, shown

LOST = "the connection was lost"
"""What has happened where nothing more is known of it."""

TLS = "tls_failed"
PROXY = "proxy_refused"
FINAL = frozenset({TLS, PROXY})
"""Codes of failures that trying again does not cure."""


def where(url: str, proxy: Proxy | None) -> str:
    """An address as people may see it, and how it is reached."""
    return f"{shown(url)} through the proxy {proxy.shown}" if proxy else shown(url)


UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    SocksRefused,
)
"""What is raised where there is no connection: nothing was sent."""


def unreachable(endpoint: Endpoint, proxy: Proxy | None, error: Exception) -> ConnectionFailed:
    """The error for the user of one that is UNREACHABLE."""
    if proxy is not None and isinstance(error, aiohttp.ClientHttpProxyError):
        return refused_by(proxy, endpoint, f"{error.status} {error.message}")
    if proxy is not None and isinstance(error, SocksRefused):
        return refused_by(proxy, endpoint, str(error))
    late = isinstance(error, TimeoutError)
    words = f"no answer within {endpoint.timeouts.connect:g} s" if late else reason(error)
    hint, code = _cause(error, words, proxy)
    return _failed(endpoint, proxy, words, hint, code)


def reason(error: Exception) -> str:
    """What went wrong with a connection, in words."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError | socket.gaierror):
        return os.strerror(cause.errno) if cause.errno else str(cause)
    if cause is not None:
        return str(cause)
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message.partition("\n")[0].rstrip(":")
    return LOST if isinstance(error, aiohttp.ClientPayloadError) else str(error) or LOST


def refused_by(proxy: Proxy, endpoint: Endpoint, said: str) -> ConnectionFailed:
    """The error of a proxy that does not let us through. said: its status, and its own words."""
    if not said.startswith(("407", UNAUTHENTICATED)):
        code = PROXY if said.startswith("4") else None  # a 5xx of a proxy: it cannot reach the runtime now
        return _failed(endpoint, proxy, said, _allow(proxy), code)
    if proxy.has_credentials:
        hint = f"{proxy.source} names it with a user and a password that it does not accept."
    else:
        example = proxy.shown.replace("://", "://USER:PASSWORD@")
        hint = f"It wants credentials. {proxy.source} may hold them, as in {example}."
    return _failed(endpoint, proxy, said, hint, PROXY)


def _failed(endpoint: Endpoint, proxy: Proxy | None, said: str, hint: str, code: str | None) -> ConnectionFailed:
    message = f"Cannot connect to {endpoint.provider} at {where(endpoint.address, proxy)}: {said}"
    return ConnectionFailed(message, provider=endpoint.provider, hint=hint, code=code)


_TLS_HINTS = {
    "Hostname mismatch": "Its certificate is for another name: is `base_url` right?",
    "IP address mismatch": "Its certificate is for another name: is `base_url` right?",
    "certificate has expired": "Its certificate is to be renewed, or the clock of this machine to be set.",
    "certificate is not yet valid": "Its certificate is to be renewed, or the clock of this machine to be set.",
    "CERTIFICATE_VERIFY_FAILED": "Its certificate is not trusted here: SSL_CERT_FILE may name a bundle with the "
    "authority that signed it.",
    "WRONG_VERSION_NUMBER": "It does not speak TLS there: `base_url` may have to begin with http://.",
}
"""What to do, by OpenSSL's words; the first that are in its message count."""


def _cause(error: Exception, said: str, proxy: Proxy | None) -> tuple[str, str | None]:
    """The hint and the code of a failure."""
    for words, hint in _TLS_HINTS.items():
        if words in said:
            return hint, TLS
    if proxy is not None:
        return f"Is the proxy running? {_allow(proxy)}", None
    if isinstance(error, TimeoutError):
        return "Is `base_url` right? `timeouts.connect` of the model entry sets the limit.", None
    return "Is it running, and is `base_url` right?", None


def _allow(proxy: Proxy) -> str:
    return f"{proxy.source} names the proxy; NO_PROXY names the hosts that need none."
