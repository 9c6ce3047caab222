"""Answers in which calls are text, as those that a model with functions gives."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import llamafarm

from llamafarm_agents.tools.functions import Definition, name_of
from llamafarm_agents.tools.prompt_based.reader import Call, CallReader


class CalledChoices:
    """The choices of one answer. one: whether only the first call counts. required: whether one has to come."""

    def __init__(self, turn: llamafarm.Turn, tools: Sequence[Definition], *, one: bool, required: bool) -> None:
        self._turn = turn
        self._names = [name_of(tool) for tool in tools]
        self._one = one
        self._required = required
        self._readers: dict[int, CallReader] = {}
        self._told: dict[int, int] = {}

    async def changed(self, chunks: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        """The chunks with calls in the place of their texts."""
        async for chunk in chunks:
            choices = [self._choice(choice) for choice in chunk.get("choices") or ()]
            yield {**chunk, "choices": choices}

    def _choice(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        index, reason = choice.get("index", 0), choice.get("finish_reason")
        delta = dict(choice.get("delta") or {})
        reader = self._readers.setdefault(index, CallReader(self._names))
        if (piece := delta.get("content")) or reason:
            text = reader.read(piece or "", last=bool(reason))
            delta = {**delta, "content": text} if text or piece else delta
        if calls := self._new_calls(index, reader):
            delta["tool_calls"] = calls
        if reason:
            self._note(reader)
        if reason == "stop" and reader.calls:
            reason = "tool_calls"
        return {**choice, "delta": delta, "finish_reason": reason}

    def _note(self, reader: CallReader) -> None:
        if reader.left_out:
            self._turn.note("tools", left_out=reader.left_out, because="characters of text behind a call")
        if self._required and not reader.calls:
            self._turn.note("tools", because="nothing was called, though `tool_choice` wants a call")

    def _new_calls(self, index: int, reader: CallReader) -> list[dict[str, Any]]:
        begun = self._told.get(index, 0)
        calls = reader.calls[: 1 if self._one else None][begun:]
        self._told[index] = begun + len(calls)
        return [_told(place, call) for place, call in enumerate(calls, begun)]


def _told(place: int, call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": place, "id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}
