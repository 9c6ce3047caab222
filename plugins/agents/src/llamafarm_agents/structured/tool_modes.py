"""The modes in which the answer is what a model calls a function with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm import InstructorMode
from llamafarm.wire import Message

from llamafarm_agents.structured.modes import Request
from llamafarm_agents.structured.schema import Schema
from llamafarm_agents.structured.wishes import better_call

_OURS = ("response_format", "tools", "tool_choice", "parallel_tool_calls")
_SHARED = ("$defs", "definitions")
_WRAPPED = "value"
"""Parameters of functions are objects: another answer stands under this name in one."""


class ToolsMode:
    """A function whose parameters are the schema, and which the model has to call."""

    name: InstructorMode = "tools"
    by_tools = True
    streams = False

    def request(self, request: Request, schema: Schema) -> dict[str, Any]:
        choice = {"type": "function", "function": {"name": schema.name}}
        return {**_without_ours(request), "tools": [self._tool(schema)], "tool_choice": choice}

    def text(self, message: Mapping[str, Any], schema: Schema) -> str:
        arguments = next(iter(_arguments(message)), "")
        return arguments if _is_object(schema.definition) else _unwrapped(arguments)

    def again(self, message: Message, problems: Sequence[str]) -> list[Message]:
        return better_call(message, problems)

    def _tool(self, schema: Schema) -> dict[str, Any]:
        return _tool(schema.name, _as_object(schema.definition))


class ToolsStrictMode(ToolsMode):
    """The same with `strict`: OpenAI holds arguments to the schema then, and takes not every schema."""

    name: InstructorMode = "tools_strict"

    def _tool(self, schema: Schema) -> dict[str, Any]:
        tool = super()._tool(schema)
        tool["function"]["strict"] = True
        return tool


class ParallelToolsMode:
    """A function for each kind of item of a list; what the model calls, in this order, is the list.

    It takes schemas of lists of objects alone: see `item_kinds`.
    """

    name: InstructorMode = "parallel_tools"
    by_tools = True
    streams = False

    def request(self, request: Request, schema: Schema) -> dict[str, Any]:
        tools = [_tool(name, kind) for name, kind in item_kinds(schema).items()]
        return {**_without_ours(request), "tools": tools, "tool_choice": "required"}

    def text(self, message: Mapping[str, Any], schema: Schema) -> str:  # noqa: ARG002 - as the other modes
        arguments = _arguments(message)
        return f"[{', '.join(arguments)}]" if arguments else ""

    def again(self, message: Message, problems: Sequence[str]) -> list[Message]:
        return better_call(message, problems)


def item_kinds(schema: Schema) -> dict[str, dict[str, Any]]:
    """The kinds of objects that stand in a list, by the names of their functions; empty for another schema."""
    definition = schema.definition
    items = definition.get("items")
    if definition.get("type") != "array" or not isinstance(items, dict):
        return {}
    kinds = [_resolved(kind, definition) for kind in items.get("anyOf") or items.get("oneOf") or [items]]
    if not all(_is_object(kind) for kind in kinds):
        return {}
    shared = {key: definition[key] for key in _SHARED if key in definition}
    return {
        str(kind.get("title") or f"{schema.name}_{number}"): {**shared, **kind}
        for number, kind in enumerate(kinds, start=1)
    }


def _resolved(kind: Any, definition: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a schema; of a reference, what it leads to."""
    reference = kind.get("$ref") if isinstance(kind, dict) else None
    if not isinstance(reference, str):
        return kind if isinstance(kind, dict) else {}
    target: Any = definition
    for key in reference.removeprefix("#/").split("/"):
        target = target.get(key) if isinstance(target, Mapping) else None
    return target if isinstance(target, dict) else {}


def _tool(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name, "parameters": parameters}
    if isinstance(description := parameters.get("description"), str):
        function["description"] = description
    return {"type": "function", "function": function}


def _arguments(message: Mapping[str, Any]) -> list[str]:
    return [call["function"]["arguments"] for call in message.get("tool_calls") or ()]


def _is_object(definition: Mapping[str, Any]) -> bool:
    return definition.get("type") == "object"


def _as_object(definition: Mapping[str, Any]) -> dict[str, Any]:
    if _is_object(definition):
        return dict(definition)
    shared = {key: definition[key] for key in _SHARED if key in definition}
    return {**shared, "type": "object", "properties": {_WRAPPED: dict(definition)}, "required": [_WRAPPED]}


def _unwrapped(arguments: str) -> str:
    """What stands in the object; a text that is none is left to the check of the schema."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return arguments
    return json.dumps(value[_WRAPPED]) if isinstance(value, dict) and _WRAPPED in value else arguments


def _without_ours(request: Request) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in _OURS}
