"""Replies that are another one with something changed: chunks, texts, or one chunk more at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from llamafarm.providers.assemble import put_together, taken_apart
from llamafarm.providers.reply import ChangeChunks, LastChunk, Reply, WrappedReply
from llamafarm.wire import sse

ChangeText = Callable[[], Callable[[str, bool], str]]
"""Makes, for one choice of one answer, the function that turns (a piece of text, whether it is the last) into another.
"""
SHARED_FIELDS = ("id", "object", "created", "model")
"""What the chunks of one answer have in common."""


class ChangedReply(WrappedReply):
    """The chunks of another reply as `change` makes them."""

    def __init__(self, reply: Reply, change: ChangeChunks) -> None:
        super().__init__(reply)
        self._change = change

    async def chunks(self) -> AsyncGenerator[Any, None]:
        async with aclosing(self._reply.chunks()) as chunks, aclosing(self._change(chunks)) as changed:
            async for chunk in changed:
                yield chunk

    async def completion(self) -> Any:
        """A whole answer goes through the change as the chunks that it could have come in, its usage included."""
        whole = taken_apart(await self._reply.completion(), usage=True)
        async with aclosing(self._change(_each(whole))) as changed:
            return put_together([chunk async for chunk in changed])


class AppendedReply(WrappedReply):
    """Another reply and, at its end, one chunk more."""

    def __init__(self, reply: Reply, chunk: LastChunk) -> None:
        super().__init__(reply)
        self._chunk = chunk

    async def chunks(self) -> AsyncGenerator[Any, None]:
        first: Mapping[str, Any] | None = None
        async with aclosing(self._reply.chunks()) as chunks:
            async for chunk in chunks:
                first = first or chunk
                yield chunk
        yield self._last(first or {})

    async def frames(self) -> AsyncGenerator[bytes, None]:
        first: Mapping[str, Any] | None = None
        async with aclosing(self._reply.frames()) as frames:
            async for frame in frames:
                if first is None and (event := sse.parse(frame)) is not None:
                    first = event.object()
                if frame == sse.DONE:
                    yield sse.encode(self._last(first or {}))
                yield frame

    async def completion(self) -> Any:
        answer = await self._reply.completion()
        return {**answer, **{name: value for name, value in self._added().items() if name != "choices"}}

    def _last(self, first: Mapping[str, Any]) -> dict[str, Any]:
        shared = {name: first[name] for name in SHARED_FIELDS if name in first}
        return {**shared, "choices": [], **self._added()}

    def _added(self) -> Mapping[str, Any]:
        return self._chunk() if callable(self._chunk) else self._chunk


def changed_texts(change: ChangeText) -> ChangeChunks:
    """The change of chunks that a change of texts is: the last piece of a choice comes with its finish reason."""

    async def changed(chunks: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        changes: dict[int, Callable[[str, bool], str]] = {}
        first: Mapping[str, Any] = {}
        async for chunk in chunks:
            first = first or chunk
            choices = [_with_text(choice, changes, change) for choice in chunk.get("choices") or ()]
            yield {**chunk, "choices": choices}
        if unfinished := [_choice(index, rest) for index, last in changes.items() if (rest := last("", True))]:
            shared = {name: first[name] for name in SHARED_FIELDS if name in first}
            yield {**shared, "choices": unfinished}

    return changed


def _with_text(
    choice: Mapping[str, Any], changes: dict[int, Callable[[str, bool], str]], make: ChangeText
) -> dict[str, Any]:
    index, last = choice.get("index", 0), bool(choice.get("finish_reason"))
    change = changes.setdefault(index, make()) if index not in changes else changes[index]
    if last:
        del changes[index]
    if "text" in choice:
        return {**choice, "text": change(choice["text"] or "", last)}
    delta = choice.get("delta") or {}
    if not last and not delta.get("content"):
        return dict(choice)
    text = change(delta.get("content") or "", last)
    return {**choice, "delta": {**delta, "content": text} if text or delta.get("content") else delta}


def _choice(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "finish_reason": None}


async def _each(items: Any) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item
