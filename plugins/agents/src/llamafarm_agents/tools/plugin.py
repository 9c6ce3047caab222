"""The plugin: registers the agent handler `tools`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_agents.tools.options import ToolsOptions

if TYPE_CHECKING:
    from llamafarm_agents.tools.handler import ToolsHandler


def build(options: ToolsOptions) -> ToolsHandler:
    """The handler of one model entry."""
    from llamafarm_agents.tools.handler import ToolsHandler

    return ToolsHandler(options)


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="tools",
        summary="Functions that models call: the client's, and those of the project's tool sources.",
        build=build,
        options=ToolsOptions,
    )
