"""The core's own agent handlers, registered through the same hook as anybody's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llamafarm.hookspecs import hookimpl
from llamafarm.providers.entry import Variables
from llamafarm.records import AgentHandlerSpec

if TYPE_CHECKING:
    from llamafarm.handlers.simple import SimpleHandler


@hookimpl
def register_agent_handlers() -> Iterable[AgentHandlerSpec]:
    fields = {"variables": Variables | None}
    return [AgentHandlerSpec("simple", "Prompt sets, and the history of the session.", build_simple, fields=fields)]


def build_simple(options: None) -> SimpleHandler:  # noqa: ARG001 - every handler is built from its options
    from llamafarm.handlers.simple import SimpleHandler

    return SimpleHandler()
