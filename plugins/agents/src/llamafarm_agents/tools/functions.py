"""The functions that the client executes: those of its request and those of the configuration."""

from __future__ import annotations

from typing import Any

import llamafarm

from llamafarm_agents.tools.options import ToolsOptions

Definition = dict[str, Any]
"""A function as a request has it: `{"type": "function", "function": {…}}`."""


def functions_of(turn: llamafarm.Turn, options: ToolsOptions) -> list[Definition]:
    """Those of one turn, as `tools_mode` has it; of two with one name, the request's."""
    own: Any = turn.request.get("tools") or []
    configured = [tool.definition() for tool in options.tools]
    if options.tools_mode == "config_only":
        if own:
            turn.note("tools", left_out=[name_of(tool) for tool in own], because="tools_mode: config_only")
        return configured
    if replaces(turn, options):
        return list(own)
    names = {name_of(tool) for tool in own}
    if twice := [name_of(tool) for tool in configured if name_of(tool) in names]:
        turn.note("tools", left_out=twice, because="the request has functions of these names")
    return [*(tool for tool in configured if name_of(tool) not in names), *own]


def replaces(turn: llamafarm.Turn, options: ToolsOptions) -> bool:
    """Whether what the request brings is all that there is: its functions replace those of the configuration."""
    return options.tools_mode == "api_replace" and turn.request.get("tools") is not None


def name_of(tool: Any) -> str:
    """The name of a function of a request; empty for what is none, which the provider refuses."""
    function = tool.get("function") if isinstance(tool, dict) else None
    return str(function.get("name") or "") if isinstance(function, dict) else ""
