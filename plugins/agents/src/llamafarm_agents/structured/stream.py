"""Answers that go to the reader as they come, and are checked at their end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import llamafarm
from llamafarm.wire import sse

from llamafarm_agents.structured.answer import Wish
from llamafarm_agents.structured.asking import objects_field


class CheckedReply(llamafarm.Reply):
    """Passes a streamed answer on, untouched, and adds its object in a last chunk.

    An answer that does not fit ends with an UpstreamError: its text has been read, and is not asked for again.
    """

    def __init__(self, reply: llamafarm.Reply, wish: Wish) -> None:
        self._reply = reply
        self._wish = wish
        self.headers.update(reply.headers)

    async def chunks(self) -> AsyncGenerator[Any, None]:
        texts = _Texts()
        async with aclosing(self._reply.chunks()) as chunks:
            async for chunk in chunks:
                texts.add(chunk)
                yield chunk
        yield texts.last(self._wish)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        texts = _Texts()
        async with aclosing(self._reply.frames()) as frames:
            async for frame in frames:
                if frame == sse.DONE:
                    yield sse.encode(texts.last(self._wish))
                elif (event := sse.parse(frame)) is not None:
                    texts.add(event.object() or {})
                yield frame

    async def aclose(self) -> None:
        await self._reply.aclose()


class _Texts:
    """The messages of a stream as far as they have come, as whole choices."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        self._head = self._head or {name: chunk[name] for name in ("id", "object", "created", "model") if name in chunk}
        for piece in chunk.get("choices") or ():
            choice = self._choices.setdefault(piece.get("index", 0), {"message": {"content": ""}})
            choice["finish_reason"] = piece.get("finish_reason") or choice.get("finish_reason")
            delta = piece.get("delta") or {}
            choice["message"]["content"] += delta.get("content") or ""
            choice["message"].update({name: delta[name] for name in ("refusal", "tool_calls") if delta.get(name)})

    def last(self, wish: Wish) -> dict[str, Any]:
        """The chunk that ends the stream. Raises UpstreamError where an answer does not fit."""
        values = []
        for index in sorted(self._choices):
            checked = wish.read(self._choices[index])
            if checked is not None and checked.problems:
                raise wish.failure([checked.problems], self._choices[index])
            values.append(None if checked is None else checked.value)
        return {**self._head, "choices": [], **objects_field(values)}
