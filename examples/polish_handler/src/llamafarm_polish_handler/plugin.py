"""The plugin: registers the agent handler `polish`, its options and the request field that is its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_polish_handler.options import Polish, PolishOptions

if TYPE_CHECKING:
    from llamafarm_polish_handler.handler import PolishHandler


def build(options: PolishOptions) -> PolishHandler:
    """The handler with the options of one project."""
    from llamafarm_polish_handler.handler import PolishHandler

    return PolishHandler(options)


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="polish",
        summary="Lets the model improve its own answer, where a request asks for it.",
        build=build,
        options=PolishOptions,
        fields={"polish": Polish | None},
    )
