"""The handler: brings the functions together, tells the model of them, and has those of the project called."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

import llamafarm
from llamafarm.errors import RequestError

from llamafarm_agents.model_info import model_info
from llamafarm_agents.tools.calls import Calls
from llamafarm_agents.tools.functions import functions_of, name_of, replaces
from llamafarm_agents.tools.memory import Memory
from llamafarm_agents.tools.options import ToolsOptions
from llamafarm_agents.tools.prompt_based.asking import OF_TOOLS, PromptAsking
from llamafarm_agents.tools.rounds import Rounds
from llamafarm_agents.tools.server_tools import ServerTool, server_tools

_PROMPT_BASED = "prompt_based"


class ToolsHandler:
    """Middleware. Where the project has no tools of its own, the model's reply passes as it is."""

    def __init__(self, options: ToolsOptions) -> None:
        self._options = options
        self._memory = Memory()

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Raises RequestError for several choices with tools of the project, and what `server_tools` raises."""
        functions = functions_of(turn, self._options)
        names = {name_of(tool) for tool in functions}
        tools = await self._server_tools(turn, names)
        asking = self._with_tools(turn, [*functions, *(tool.definition() for tool in tools.values())])
        ask = await self._way(asking, ask)
        if not tools:
            return await ask(asking)
        calls = Calls(turn, tools, self._options)
        remember = None if turn.session else partial(self._memory.keep, turn.request["messages"])
        rounds = Rounds(asking, ask, await ask(asking), calls, names, self._options.max_rounds, remember)
        return rounds.after(lambda: {"llamafarm": {"tool_calls": calls.rows}})

    async def _server_tools(self, turn: llamafarm.Turn, taken: Collection[str]) -> dict[str, ServerTool]:
        if turn.request.get("tool_choice") == "none" or replaces(turn, self._options):
            return {}
        tools = await server_tools(turn, self._options, taken)
        if tools and (turn.request.get("n") or 1) > 1:
            raise RequestError(
                "A request whose model may call tools of the project has one answer: `n` must be 1.",
                hint="`tool_choice: none` asks for several without calls.",
                code="invalid_value",
                param="n",
            )
        return tools

    def _with_tools(self, turn: llamafarm.Turn, tools: list[Any]) -> llamafarm.Turn:
        """The turn as the model is asked: with all functions, and what was called before the client's calls."""
        changed: dict[str, Any] = {}
        if tools != (turn.request.get("tools") or []):
            changed["tools"] = tools
        messages = self._memory.completed(turn.request["messages"])
        if len(messages) > len(turn.request["messages"]):
            changed["messages"] = messages
        if not changed:
            return turn
        request: Any = {**turn.request, **changed}
        if not tools:
            request = {name: value for name, value in request.items() if name not in OF_TOOLS}
        return replace(turn, request=request)

    async def _way(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Ask:
        """How the model is asked: by the API, or, where it is told of no functions there, in its prompt."""
        wanted = self._options.tool_call_strategy
        if not turn.request.get("tools") and not _has_calls(turn):
            return ask
        info = await model_info(turn)
        if wanted != _PROMPT_BASED and info.features is not None and "tools" not in info.features:
            turn.note("tools", strategy=_PROMPT_BASED, instead_of=wanted, because="the model is told of no functions")
            wanted = "prompt_based"
        if wanted != _PROMPT_BASED:
            return ask
        return PromptAsking(ask, is_held=info.structured == "json_schema")


def _has_calls(turn: llamafarm.Turn) -> bool:
    return any(message["role"] == "tool" or message.get("tool_calls") for message in turn.request["messages"])
