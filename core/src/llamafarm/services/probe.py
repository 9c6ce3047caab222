"""What answers at an address: nothing, something, or a runtime that says how it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from llamafarm.errors import AuthenticationFailed, ConnectionFailed, ProviderError
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Endpoint


@dataclass(frozen=True)
class Probe:
    """reached: something accepts connections there. body: its health answer, where it is a JSON object.

    refused: what it says where it does not take the key.
    """

    reached: bool
    body: Mapping[str, Any] | None = None
    refused: AuthenticationFailed | None = None


async def probe(address: str, path: str, *, api_key: str | None = None, within: float = 2.0) -> Probe:
    """Ask `address` for its health; never raises."""
    upstream = HttpUpstream(Endpoint("service", address, api_key))
    try:
        return Probe(True, await upstream.get_json(path, within=within))
    except ConnectionFailed:
        return Probe(False)
    except AuthenticationFailed as error:
        return Probe(True, refused=error)
    except ProviderError:
        return Probe(True)
    finally:
        await upstream.aclose()


def listener(port: int) -> str:
    """The program that listens on a port of this machine, in words. Looks at every process: not for an event loop."""
    try:
        found = (connection.pid for connection in psutil.net_connections("tcp") if _listens(connection, port))
        if pid := next(filter(None, found), None):
            return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        pass  # what the system does not tell is left out
    return "another program"


def has_listener(process: psutil.Process, port: int) -> bool:
    """Whether a process, or one that it has started, listens on a port of this machine; not for an event loop."""
    try:
        if any(_listens(connection, port) for connection in process.net_connections("tcp")):
            return True
        return any(has_listener(child, port) for child in process.children())
    except psutil.Error:
        return False


def _listens(connection: Any, port: int) -> bool:
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port)
