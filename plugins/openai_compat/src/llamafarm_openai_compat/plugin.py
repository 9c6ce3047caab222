"""The plugin: registers the provider `openai`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llamafarm.hookspecs import hookimpl
from llamafarm.providers.parameters import Parameters
from llamafarm.records import ProviderSpec

from llamafarm_openai_compat.config import OpenAIEntry, endpoint

if TYPE_CHECKING:
    from llamafarm.providers.base import Endpoint, Provider

PARAMETERS = Parameters()
"""What holds for all servers: every field is sent as it is. `profiles.PROFILES` says what each server does else."""


def connect(endpoint: Endpoint) -> Provider:
    """The client of one server."""
    from llamafarm_openai_compat.provider import OpenAIProvider

    return OpenAIProvider(endpoint)


@hookimpl
def register_providers() -> Iterable[ProviderSpec]:
    """One provider, for every server that speaks the OpenAI wire."""
    yield ProviderSpec(
        name="openai",
        summary="OpenAI, and every server that speaks its API: vLLM, LM Studio, Together, llama.cpp and others.",
        entry=OpenAIEntry,
        endpoint=endpoint,
        connect=connect,
        parameters=PARAMETERS,
    )
