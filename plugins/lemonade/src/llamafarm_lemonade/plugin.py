"""The plugin: registers the provider `lemonade`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llamafarm import ProviderSpec, hookimpl

from llamafarm_lemonade.config import LemonadeEntry, endpoint
from llamafarm_lemonade.parameters import PARAMETERS

if TYPE_CHECKING:
    from llamafarm import Endpoint, Provider
    from llamafarm.services import Service


def connect(endpoint: Endpoint) -> Provider:
    """The client of one server."""
    from llamafarm_lemonade.provider import LemonadeProvider

    return LemonadeProvider(endpoint)


def service(entry: LemonadeEntry) -> Service | None:
    """The server's service; None where the entry's address is not on this machine."""
    from llamafarm_lemonade.service import service_of

    return service_of(entry)


@hookimpl
def register_providers() -> Iterable[ProviderSpec]:
    """Lemonade: GGUF models on NPU, GPU and processor."""
    yield ProviderSpec(
        name="lemonade",
        summary="Lemonade: GGUF models on NPU, GPU and processor, in a server that LlamaFarm can start.",
        entry=LemonadeEntry,
        endpoint=endpoint,
        connect=connect,
        service=service,
        parameters=PARAMETERS,
    )
