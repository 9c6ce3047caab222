"""The plugin: registers the provider `universal`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llamafarm import ProviderSpec, hookimpl

from llamafarm_universal.config import UniversalEntry, endpoint

if TYPE_CHECKING:
    from llamafarm import Endpoint, Parameters, Provider
    from llamafarm.services import Service
    from llamafarm.wire import Operation


def connect(endpoint: Endpoint) -> Provider:
    """The client of one runtime."""
    from llamafarm_universal.provider import UniversalProvider

    return UniversalProvider(endpoint)


def service(entry: UniversalEntry) -> Service | None:
    """The runtime's service; None where the entry's address is not on this machine."""
    from llamafarm_universal.service import service_of

    return service_of(entry)


def foreseen(entry: UniversalEntry) -> Parameters:  # noqa: ARG001 - all runtimes are alike
    """What the runtime will do with each field of a request."""
    from llamafarm_universal.parameters import RUNTIME

    return RUNTIME


def at_hand(operation: Operation) -> str | None:
    """A model of this machine that is for that operation."""
    from llamafarm_universal.at_hand import model_at_hand

    return model_at_hand(operation)


@hookimpl
def register_providers() -> Iterable[ProviderSpec]:
    """The Universal Runtime: any Hugging Face model, in a server that LlamaFarm starts by itself."""
    yield ProviderSpec(
        name="universal",
        summary="LlamaFarm's own runtime: any Hugging Face Transformers or Diffusers model.",
        entry=UniversalEntry,
        endpoint=endpoint,
        connect=connect,
        service=service,
        foreseen=foreseen,
        at_hand=at_hand,
    )
