"""The plugin: registers the agent handler `guard`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_agents.guard.options import GuardOptions

if TYPE_CHECKING:
    from llamafarm_agents.guard.handler import GuardHandler


def build(options: GuardOptions) -> GuardHandler:
    """The handler of one model entry."""
    from llamafarm_agents.guard.handler import GuardHandler

    return GuardHandler(options)


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="guard",
        summary="Checks of what users write and of what models say.",
        build=build,
        options=GuardOptions,
    )
