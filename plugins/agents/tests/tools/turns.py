"""Turns of the handler `tools`, with a model that plays a script and a source that remembers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import llamafarm
from llamafarm.handlers.base import TurnModel
from llamafarm_agents.tools.options import ToolsOptions
from llamafarm_agents.tools.plugin import build
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply

QUESTION = {"role": "user", "content": "What does Daisy weigh?"}
COW = {"type": "object", "properties": {"cow": {"type": "string"}}, "required": ["cow"]}
SEND = {"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}
DAISY = '{"cow": "Daisy"}'


class Barn:
    """A source with the tool `weigh`. result: what it gives, or raises, or a function from the cow to that."""

    def __init__(self, result: Any = "640 kg", tools: Any = None) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.cancelled = 0
        self._result = result
        self._tools = tools or [llamafarm.Tool("weigh", "The weight of a cow.", COW)]

    async def list(self) -> list[llamafarm.Tool]:
        if isinstance(self._tools, Exception):
            raise self._tools
        return self._tools

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        self.calls.append((name, arguments))
        result = self._result(arguments["cow"]) if callable(self._result) else self._result
        try:
            if result is Ellipsis:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(result, Exception):
            raise result
        return llamafarm.ToolResult(result) if isinstance(result, str) else result

    async def aclose(self) -> None:
        raise AssertionError("sources are the project's: a handler closes none")


class Known(TurnModel):
    def __init__(self, **facts: Any) -> None:
        super().__init__("cow")
        self.facts = facts

    async def info(self) -> llamafarm.ModelInfo:
        return llamafarm.ModelInfo("cow", **self.facts)


@dataclass
class Case:
    """A handler, its model and its sources. trace, steps: of the last turn."""

    model: ScriptedProvider
    sources: Mapping[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    known: TurnModel = field(default_factory=TurnModel)
    session: Any = None
    trace: list[dict[str, Any]] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handler = build(ToolsOptions(**self.options))
        self.entry = llamafarm.ModelEntry(name="cow", provider="scripted", model="cow")

    async def reply(self, *messages: Any, **request: Any) -> llamafarm.Reply:
        asked: Any = {"messages": list(messages or (QUESTION,)), **request}
        call = llamafarm.Call(self.entry, "r")
        sources = llamafarm.ToolSources(self.sources)
        turn = llamafarm.Turn(
            None, self.entry, asked, call, self.session, model=self.known, tool_sources=sources
        )  # fmt: skip
        self.trace, self.steps = turn.trace.rows, turn.steps

        async def ask(turn: llamafarm.Turn) -> llamafarm.Reply:
            return await self.model.chat(turn.request, turn.call)

        return await self.handler.run(turn, ask)

    async def answer(self, *messages: Any, **request: Any) -> Any:
        reply = await self.reply(*messages, **request)
        try:
            return await reply.completion()
        finally:
            await reply.aclose()

    async def chunks(self, *messages: Any, **request: Any) -> list[Any]:
        reply = await self.reply(*messages, stream=True, **request)
        try:
            return [chunk async for chunk in reply.chunks()]
        finally:
            await reply.aclose()

    def asked(self, number: int = -1) -> Any:
        """The messages of a request to the model."""
        return self.model.requests[number]["messages"]

    def notes(self, **facts: Any) -> list[dict[str, Any]]:
        return [row for row in self.trace if all(row.get(name) == value for name, value in facts.items())]


def calling(*calls: tuple[str, str], text: str | None = None, reason: str = "tool_calls", usage: Any = None) -> Any:
    """An answer that calls functions, in pieces as servers send them. calls: (name, arguments)."""
    deltas: list[Any] = [{"role": "assistant", "content": text}]
    for at, (name, arguments) in enumerate(calls):
        begun = {"index": at, "id": f"call-{name}-{at}", "type": "function"}
        deltas.append({"tool_calls": [{**begun, "function": {"name": name, "arguments": arguments[:3]}}]})
        deltas.append({"tool_calls": [{"index": at, "function": {"arguments": arguments[3:]}}]})
    return said(*deltas, reason=reason, usage=usage)


def said(*deltas: Any, reason: str = "stop", usage: Any = None) -> Any:
    """A step of a script."""
    head = {"id": f"answer-{reason}", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks += [{**head, "choices": [], "usage": usage}] if usage else []
    return lambda _: ScriptedReply(chunks=chunks)


def text_of(answer: Any) -> Any:
    return answer["choices"][0]["message"]["content"]


def calls_of(answer: Any) -> list[tuple[str, Any]]:
    calls = answer["choices"][0]["message"].get("tool_calls") or []
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
