"""Connections through a SOCKS5 proxy (RFC 1928), with a user and a password where it wants them (RFC 1929)."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpcore

VERSION = 5
NO_CREDENTIALS, CREDENTIALS = 0, 2
CONNECT = 1
IPV4, NAME, IPV6 = 1, 3, 4
_ADDRESS_LENGTH = {IPV4: 4, IPV6: 16}
_REFUSALS = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}
"""What RFC 1928 calls the reply codes."""
CLOSED = "it closed the connection"
UNAUTHENTICATED = "it wants to know who asks"
"""How the message of an error begins that credentials would cure."""


@dataclass(frozen=True)
class Socks(httpcore.AsyncNetworkBackend):
    """Connects by asking the proxy at `host:port`, which looks names up itself. Raises what httpcore raises."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to `host:port`. Raises ConnectError, ConnectTimeout, and ProxyError where it says no."""
        try:
            async with asyncio.timeout(timeout):
                stream = await httpcore.AnyIOBackend().connect_tcp(
                    self.host, self.port, local_address=local_address, socket_options=socket_options
                )
                try:
                    await self._ask(stream, host, port)
                except BaseException:
                    await stream.aclose()
                    raise
                return stream
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def _ask(self, stream: httpcore.AsyncNetworkStream, host: str, port: int) -> None:
        try:
            await self._greet(stream)
            await _connect(stream, host, port)
        except (httpcore.ReadError, httpcore.WriteError):
            raise httpcore.ProxyError(CLOSED) from None

    async def _greet(self, stream: httpcore.AsyncNetworkStream) -> None:
        methods = bytes([NO_CREDENTIALS, CREDENTIALS] if self.user else [NO_CREDENTIALS])
        await stream.write(bytes([VERSION, len(methods)]) + methods)
        version, method = await _read(stream, 2)
        if version != VERSION:
            raise httpcore.ProxyError("it does not speak SOCKS5")
        if method not in methods:
            raise httpcore.ProxyError(UNAUTHENTICATED)
        if method == CREDENTIALS:
            await stream.write(b"\x01" + _sized(self.user) + _sized(self.password))
            _, status = await _read(stream, 2)
            if status != 0:
                raise httpcore.ProxyError(UNAUTHENTICATED)


async def _connect(stream: httpcore.AsyncNetworkStream, host: str, port: int) -> None:
    await stream.write(bytes([VERSION, CONNECT, 0]) + _address(host) + port.to_bytes(2))
    _, reply, _, kind = await _read(stream, 4)
    if reply != 0:
        raise httpcore.ProxyError(f"it cannot connect to {host}: {_REFUSALS.get(reply, f'reply {reply}')}")
    length = _ADDRESS_LENGTH.get(kind) or (await _read(stream, 1))[0]
    await _read(stream, length + 2)  # the address and port that it uses itself


async def _read(stream: httpcore.AsyncNetworkStream, size: int) -> bytes:
    """Exactly so many bytes: what follows them belongs to the runtime."""
    read = b""
    while len(read) < size:
        piece = await stream.read(size - len(read))
        if not piece:
            raise httpcore.ProxyError(CLOSED)
        read += piece
    return read


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return bytes([NAME]) + _sized(host)
    return bytes([IPV4 if address.version == 4 else IPV6]) + address.packed


def _sized(text: str) -> bytes:
    content = text.encode()
    if len(content) > 255:
        raise httpcore.ProxyError("a name, a user or a password is longer than SOCKS5 can carry, 255 bytes")
    return bytes([len(content)]) + content
