"""What the client sees of the answers of one turn: one stream, as if the model had been asked once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from typing import Any

import llamafarm

from llamafarm_agents.usage import added

_HEAD = ("id", "created", "model")
_TEXTS = ("content", "reasoning", "reasoning_content")


class Passing:
    """Takes the chunks of one answer after the other. functions: the client's, whose calls are shown to it.

    usage: of all answers together.
    """

    def __init__(self, functions: Collection[str]) -> None:
        self.usage: dict[str, Any] = {}
        self._functions = functions
        self._head: dict[str, Any] = {}
        self._has_role = False
        self._calls = 0
        self._last_text: dict[str, str] = {}
        self._round = Round()

    def begin(self) -> Round:
        """The next answer."""
        self._round = Round()
        return self._round

    def end(self) -> None:
        """All chunks of the answer have come."""
        self.usage = added(self.usage, self._round.usage)

    def shown(self, chunk: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the client sees of the next chunk; None where that is nothing. How the answer ended is held back."""
        self._round.chunks.append(chunk)
        self._head = self._head or {name: chunk[name] for name in _HEAD if name in chunk}
        rest = {**chunk, **self._head}
        if usage := rest.pop("usage", None):
            self._round.usage = usage
        choices = [choice for choice in chunk.get("choices") or () if choice.get("index", 0) == 0]
        if not choices and self._round.last is not None:  # what sums an answer up
            self._round.trailing += [] if usage else [rest]
            return None
        if not choices:
            return None if usage else rest
        choice = choices[0]
        delta = self._delta(choice.get("delta") or {})
        if choice.get("finish_reason"):
            self._round.last = {**rest, "choices": [{**choice, "delta": {}}]}
            choice = {**choice, "finish_reason": None}
        return {**rest, "choices": [{**choice, "delta": delta}]} if delta else None

    def ending(self, *, usage: bool) -> Iterator[dict[str, Any]]:
        """The chunks that end the turn: how it has ended, what sums up its last answer, and the usage of all."""
        if self._round.last is not None:
            yield self._round.last
        yield from self._round.trailing
        if usage and self.usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self.usage}

    def _delta(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in delta.items() if name not in ("role", "tool_calls")}
        shown = {name: value for name, value in shown.items() if value or name not in _TEXTS}
        for name in _TEXTS:
            if shown.get(name):
                shown[name] = self._apart(name, shown[name])
        if calls := [shown for call in delta.get("tool_calls") or () for shown in self._call(call)]:
            shown["tool_calls"] = calls
        if not self._has_role and (shown or delta.get("role")):
            self._has_role = True
            shown = {"role": delta.get("role") or "assistant", **({"content": ""} if not shown else {}), **shown}
        return shown

    def _apart(self, name: str, text: str) -> str:
        """A text that does not run into that of an earlier answer."""
        before, self._last_text[name] = self._last_text.get(name, ""), text
        is_first = name not in self._round.texts
        self._round.texts.add(name)
        if not is_first or not before or before[-1].isspace() or text[0].isspace():
            return text
        return f"\n\n{text}"

    def _call(self, piece: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The pieces of calls that are shown in the place of one; until its name has come, none is."""
        call = self._round.calls.setdefault(piece.get("index", 0), _Call())
        if call.place is None and call.is_ours is None:
            call.held.append(piece)
            if name := (piece.get("function") or {}).get("name"):
                call.is_ours = name not in self._functions
                if not call.is_ours:
                    call.place, self._calls = self._calls, self._calls + 1
                    return [{**held, "index": call.place} for held in call.held]
            return []
        return [] if call.is_ours else [{**piece, "index": call.place}]


class _Call:
    """A call that is coming. place: its index for the client. is_ours: None until its name has come."""

    def __init__(self) -> None:
        self.held: list[Mapping[str, Any]] = []
        self.is_ours: bool | None = None
        self.place: int | None = None


class Round:
    """One answer as far as it has come. last: the chunk that says how it has ended. trailing: those behind it."""

    def __init__(self) -> None:
        self.chunks: list[Mapping[str, Any]] = []
        self.usage: dict[str, Any] = {}
        self.last: dict[str, Any] | None = None
        self.trailing: list[dict[str, Any]] = []
        self.calls: dict[int, _Call] = {}
        self.texts: set[str] = set()

    async def choice(self) -> dict[str, Any]:
        """It whole: the message and its finish reason; empty where it has no choice."""
        whole = await _Chunks(self.chunks).completion()
        return next(iter(whole["choices"]), {})


class _Chunks(llamafarm.Reply):
    """Chunks that are there."""

    def __init__(self, chunks: list[Mapping[str, Any]]) -> None:
        self._chunks = chunks

    async def chunks(self) -> AsyncGenerator[Any, None]:
        for chunk in self._chunks:
            yield chunk
