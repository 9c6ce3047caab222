"""The plugin: registers the provider `openai`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_openai_compat.config import OPENAI, OpenAIEntry, endpoint
from llamafarm_openai_compat.profiles import profile_at, profile_named

if TYPE_CHECKING:
    from llamafarm import Endpoint, Provider

NO_LIMIT = -1
"""What llama.cpp's server, LM Studio and others take as a `max_tokens` for none; the others refuse it themselves."""
PARAMETERS = llamafarm.Parameters(
    fields={name: llamafarm.Field(least=NO_LIMIT) for name in ("max_tokens", "max_completion_tokens")},
    synonyms=(
        frozenset({"max_tokens", "max_completion_tokens", "n_predict"}),
        frozenset({"repeat_penalty", "repetition_penalty"}),
        frozenset({"response_format", "json_schema", "grammar", "structured_outputs"}),
    ),
)
"""What holds for all servers: every field is sent as it is. `profiles.PROFILES` says what each server does else."""


def connect(endpoint: Endpoint) -> Provider:
    """The client of one server."""
    from llamafarm_openai_compat.provider import OpenAIProvider

    return OpenAIProvider(endpoint)


def foreseen(entry: OpenAIEntry) -> llamafarm.Parameters:
    """What the server of an entry does with fields, where the entry or its address says which one it is."""
    profile = profile_named(entry.profile) if entry.profile else profile_at(entry.base_url or OPENAI)
    known = profile.parameters.fields if profile else {}
    return dataclasses.replace(PARAMETERS, fields={**PARAMETERS.fields, **known})


@llamafarm.hookimpl
def register_providers() -> Iterable[llamafarm.ProviderSpec]:
    """One provider, for every server that speaks the OpenAI wire."""
    yield llamafarm.ProviderSpec(
        name="openai",
        summary="OpenAI, and every server that speaks its API: vLLM, LM Studio, Together, llama.cpp and others.",
        entry=OpenAIEntry,
        endpoint=endpoint,
        connect=connect,
        parameters=PARAMETERS,
        foreseen=foreseen,
    )
