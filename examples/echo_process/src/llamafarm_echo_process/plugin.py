"""The plugin: registers the provider `echo`, and imports nothing that it does not need for that."""

from __future__ import annotations

from collections.abc import Iterable

import llamafarm

from llamafarm_echo_process.config import EchoEntry, endpoint
from llamafarm_echo_process.parameters import PARAMETERS


def connect(endpoint: llamafarm.Endpoint) -> llamafarm.Provider:
    """The client of one program; what it needs is imported when the first model is asked."""
    from llamafarm_echo_process.provider import EchoProvider

    return EchoProvider(endpoint)


@llamafarm.hookimpl
def register_providers() -> Iterable[llamafarm.ProviderSpec]:
    yield llamafarm.ProviderSpec(
        name="echo",
        summary="A program that answers on its standard output; the one that comes along repeats what it hears.",
        entry=EchoEntry,
        endpoint=endpoint,
        connect=connect,
        parameters=PARAMETERS,
    )
