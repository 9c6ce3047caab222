"""The hooks: everything that a plugin can add to LlamaFarm, on one screen.

Implement them in the module that an entry point of group `llamafarm.plugins` names, marked with `llamafarm.hookimpl`.
They are called after discovery, each by itself; they must not touch the network or import anything heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from llamafarm.records import AgentHandlerSpec, ConfigFragment, ProviderSpec, RouteSpec, ToolSourceSpec

PROJECT = "llamafarm"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin's module as the implementation of the hook of that name: `@llamafarm.hookimpl`.

An implementation may leave out arguments of the hook, and may be a generator. Hook wrappers are refused.
"""


@hookspec
def register_providers() -> Iterable[ProviderSpec]:
    """Return the providers that this plugin brings. Two plugins that bring one name are both refused."""
    raise NotImplementedError


@hookspec
def register_agent_handlers() -> Iterable[AgentHandlerSpec]:
    """Return the agent handlers that this plugin brings."""
    raise NotImplementedError


@hookspec
def register_config_fragments() -> Iterable[ConfigFragment]:
    """Return the parts of llamafarm.yaml that this plugin reads."""
    raise NotImplementedError


@hookspec
def register_tool_sources() -> Iterable[ToolSourceSpec]:
    """Return the kinds of tool sources that this plugin brings."""
    raise NotImplementedError


@hookspec
def register_routes() -> Iterable[RouteSpec]:
    """Return the routes of the API that this plugin brings. The server alone asks for them."""
    raise NotImplementedError
