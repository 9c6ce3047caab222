"""The plugin: a provider, an agent handler and a section of llamafarm.yaml, all called `antique`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import llamafarm

from acme_antique.config import AntiqueEntry, AntiqueOptions, AntiqueSection, endpoint


def connect(endpoint: llamafarm.Endpoint) -> llamafarm.Provider:
    from acme_antique.provider import AntiqueProvider

    return AntiqueProvider(endpoint)


def build(options: AntiqueOptions) -> llamafarm.AgentHandler:
    from acme_antique.handler import AntiqueHandler

    return AntiqueHandler(options)


@llamafarm.hookimpl
def register_providers() -> Iterable[llamafarm.ProviderSpec]:
    yield llamafarm.ProviderSpec(
        name="antique",
        summary="Any server that speaks the OpenAI wire.",
        entry=AntiqueEntry,
        endpoint=endpoint,
        connect=connect,
    )


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    fields: dict[str, Any] = {"politely": bool}
    yield llamafarm.AgentHandlerSpec(
        name="antique", summary="Adds words.", build=build, options=AntiqueOptions, fields=fields
    )


@llamafarm.hookimpl
def register_config_fragments() -> Iterable[llamafarm.ConfigFragment]:
    yield llamafarm.ConfigFragment(llamafarm.Section("antique"), AntiqueSection)
