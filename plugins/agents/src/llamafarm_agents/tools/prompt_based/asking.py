"""Asking a model that knows no functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import llamafarm

from llamafarm_agents.tools.choice import offered
from llamafarm_agents.tools.functions import Definition
from llamafarm_agents.tools.prompt_based.answers import CalledChoices
from llamafarm_agents.tools.prompt_based.conversation import as_texts, told_of
from llamafarm_agents.tools.simple_schema import Simplified

OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


class PromptAsking:
    """An `Ask` before another one: what is asked has no functions, and calls are read from the text of the answer.

    is_held: whether the runtime holds answers to a schema; then a call that must come does.
    """

    def __init__(self, ask: llamafarm.Ask, *, is_held: bool) -> None:
        self._ask = ask
        self._is_held = is_held

    async def __call__(self, turn: llamafarm.Turn) -> llamafarm.Reply:
        """Raises RequestError for a `tool_choice` that names a function which is not there."""
        tools, required = offered(turn.request)
        several = turn.request.get("parallel_tool_calls") is not False
        messages = as_texts(turn.request["messages"])
        if tools:
            messages = told_of(messages, tools, required=required, several=several)
        request: Any = {name: value for name, value in turn.request.items() if name not in OF_TOOLS}
        request["messages"] = messages
        if required and self._is_held:
            request["response_format"] = _format(tools)
        reply = await self._ask(replace(turn, request=request))
        if not tools:
            return reply
        return reply.map_chunks(CalledChoices(turn, tools, one=not several, required=required).changed)


def _format(tools: Sequence[Definition]) -> dict[str, Any]:
    """The `response_format` of one call."""
    calls = [_call_schema(tool["function"]) for tool in tools]
    schema = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return {"type": "json_schema", "json_schema": {"name": "call", "schema": schema, "strict": False}}


def _call_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    arguments = Simplified(function.get("parameters") or {}).schema
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
