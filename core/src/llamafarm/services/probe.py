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
    """The program that listens on a port of this machine, in words; what the system does not tell is left out."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return "another program"


def listens(process: psutil.Process, port: int) -> bool:
    """Whether a process, or one that it has started, listens on a port of this machine."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return False
    return any(_has_open(one, port) for one in family)


def _has_open(process: psutil.Process, port: int) -> bool:
    try:
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            for connection in process.net_connections("tcp")
        )
    except psutil.Error:
        return False
