"""The plugin: registers the agent handler `structured`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_agents.structured.options import StructuredOptions

if TYPE_CHECKING:
    from llamafarm_agents.structured.handler import StructuredHandler


def build(options: StructuredOptions) -> StructuredHandler:
    """The handler of one model entry."""
    from llamafarm_agents.structured.handler import StructuredHandler

    return StructuredHandler(options)


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="structured",
        summary="Answers that fit a schema, checked, and asked for again where they do not.",
        build=build,
        options=StructuredOptions,
    )
