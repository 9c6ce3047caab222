"""What `tool_choice` of a request says: which functions may be called, and whether one has to be.

Source: OpenAI's API reference, "Create chat completion", `tool_choice`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm.errors import RequestError

from llamafarm_agents.tools.functions import Definition, name_of

_SOME = "allowed_tools"


def offered(request: Mapping[str, Any]) -> tuple[list[Definition], bool]:
    """The functions that may be called, and whether one has to be. Raises RequestError for one that is not there."""
    tools: list[Any] = request.get("tools") or []
    choice = request.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return ([] if choice == "none" else tools), choice == "required" and bool(tools)
    some: Any = choice.get(_SOME)
    if isinstance(some, Mapping):
        return _named(tools, [name_of(tool) for tool in some.get("tools") or ()]), some.get("mode") == "required"
    return _named(tools, [name_of(choice)]), True


def once_called(choice: Any) -> Any:
    """The choice of the rest of a turn in which something was called: what had to come has come. None is `auto`."""
    some: Any = choice.get(_SOME) if isinstance(choice, Mapping) else None
    return {**choice, _SOME: {**some, "mode": "auto"}} if isinstance(some, Mapping) else None


def _named(tools: Sequence[Definition], names: Sequence[str]) -> list[Definition]:
    there = [name_of(tool) for tool in tools]
    if missing := [name for name in names if name not in there]:
        raise RequestError(
            f"`tool_choice` names {missing[0]!r}, which is none of the functions.",
            hint=f"There is {', '.join(there) or 'none'}.",
            code="invalid_value",
            param="tool_choice",
        )
    return [tool for tool in tools if name_of(tool) in names]
