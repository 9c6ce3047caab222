"""Providers by endpoint: model entries that reach one runtime with the same credentials share its connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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


class ProviderPool:
    """Makes each provider once, when it is first asked for."""

    def __init__(self) -> None:
        self._providers: dict[tuple[str, Endpoint], Provider] = {}

    def lease(self, spec: Spec, entry: ModelEntry) -> Provider:
        """The provider that serves `entry`: the same object for equal endpoints. It is closed by the pool."""
        key = (spec.name, spec.endpoint(entry))
        provider = self._providers.get(key)
        if provider is None:
            provider = self._providers[key] = spec.connect(key[1])
        return provider

    async def aclose(self) -> None:
        """Close all of them; one that does not close is told in the log and harms no other. Twice does nothing."""
        providers, self._providers = self._providers, {}
        await asyncio.gather(*(_close(name, provider) for (name, _), provider in providers.items()))


async def _close(name: str, provider: Provider) -> None:
    try:
        await provider.aclose()
    except Exception as error:  # noqa: BLE001 - the answer is there already, and the others are to be closed too
        log.warning("The provider %r did not close: %s: %s", name, type(error).__name__, error)
