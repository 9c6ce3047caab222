"""Providers by endpoint: model entries that reach one runtime with the same credentials share its connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, Protocol

from llamafarm.providers.base import Endpoint, Provider
from llamafarm.providers.entry import ModelEntry

log = logging.getLogger(__name__)


class Spec(Protocol):
    """What the pool needs of a `ProviderSpec`."""

    @property
    def name(self) -> str: ...
    @property
    def endpoint(self) -> Callable[[Any], Endpoint]: ...
    @property
    def connect(self) -> Callable[[Endpoint], Provider]: ...


@dataclass(eq=False)
class Connection:
    """A provider that is connected to its endpoint. is_up: whether the service behind it has been seen running."""

    endpoint: Endpoint
    provider: Provider
    is_up: bool = False


class ProviderPool:
    """Makes each provider once, when it is first asked for."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, Endpoint], Connection] = {}

    def connect(self, spec: Spec, entry: ModelEntry) -> Connection:
        """The connection that serves `entry`: the same object for equal endpoints. It is closed by the pool."""
        endpoint = spec.endpoint(entry)
        key = (spec.name, endpoint)
        if key not in self._connections:
            self._connections[key] = Connection(endpoint, spec.connect(endpoint))
        return self._connections[key]

    async def close_all_but(self, used: Container[Endpoint]) -> None:
        """Close those whose endpoint nobody uses any more."""
        unused = [key for key in self._connections if key[1] not in used]
        await asyncio.gather(*(_close(key[0], self._connections.pop(key).provider) for key in unused))

    async def aclose(self) -> None:
        """Close all of them; one that does not close is told in the log and harms no other. Twice does nothing."""
        await self.close_all_but(())


async def _close(name: str, provider: Provider) -> None:
    try:
        await provider.aclose()
    except Exception as error:  # noqa: BLE001 - the answer is there already, and the others are to be closed too
        log.warning("The provider %r did not close: %s: %s", name, type(error).__name__, error)
