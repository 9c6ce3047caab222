"""The plugin: registers the provider `ollama`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_ollama.config import OllamaEntry, endpoint
from llamafarm_ollama.parameters import PARAMETERS

if TYPE_CHECKING:
    from llamafarm import Endpoint, Provider
    from llamafarm.services import Service


def connect(endpoint: Endpoint) -> Provider:
    """The client of one server."""
    from llamafarm_ollama.provider import OllamaProvider

    return OllamaProvider(endpoint)


def service(entry: OllamaEntry) -> Service | None:
    """The server as a service; None where it is not on this machine."""
    from llamafarm_ollama.service import service_of

    return service_of(entry)


@llamafarm.hookimpl
def register_providers() -> Iterable[llamafarm.ProviderSpec]:
    """Ollama: GGUF models from its library or of one's own, on this machine or another."""
    yield llamafarm.ProviderSpec(
        name="ollama",
        summary="Models of an Ollama server, over its own API.",
        entry=OllamaEntry,
        endpoint=endpoint,
        connect=connect,
        service=service,
        parameters=PARAMETERS,
    )
