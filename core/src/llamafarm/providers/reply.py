"""What a chat or a text completion answers: one base class, of which `chunks` alone must be written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import cached_property
from typing import Any

from llamafarm.providers.assemble import joined, put_together, shared, taken_apart
from llamafarm.wire import sse
from llamafarm.wire.body import dump

ChangeChunks = Callable[[AsyncIterator[Any]], AsyncGenerator[Any, None]]
"""Reads the chunks of an answer and yields those that take their place."""
LastChunk = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""The fields of a chunk, or a function that returns them."""
ChangeText = Callable[[], Callable[[str, bool], str]]
"""Makes, for one choice of one answer, the function that turns (a piece of text, whether it is the last) into another.
"""


class Reply:
    """An answer that the upstream has accepted: it exists only after that.

    A provider or a handler writes `chunks`, and overrides what it can do better. Exactly one of `completion`, `body`,
    `chunks` and `frames` is used, once. Whoever holds a reply closes it; closing twice does nothing.
    """

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers for the client, for instance `X-LF-Ignored`; they may be added to before the reply is returned."""
        return {}

    def chunks(self) -> AsyncGenerator[Any, None]:
        """The chunks of a streamed answer, parsed. Raises ProviderError where the stream breaks."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its chunks are")

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The same as SSE frames, ending with `data: [DONE]`; untouched bytes where nobody looked inside."""
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                yield sse.encode(chunk)
        yield sse.DONE

    async def completion(self) -> Any:
        """The whole answer: the upstream's own object, nothing lost; of a streamed one, its chunks put together."""
        async with aclosing(self.chunks()) as chunks:
            return put_together([chunk async for chunk in chunks])

    async def body(self) -> bytes:
        """The whole answer as JSON; untouched bytes where nobody looked inside."""
        return dump(await self.completion())

    async def text(self) -> str:
        """The text of the first choice of the whole answer; empty where it has none."""
        choice: dict[str, Any] = next(iter((await self.completion())["choices"]), {})
        return choice.get("text") or (choice.get("message") or {}).get("content") or ""

    async def aclose(self) -> None:
        """Close the connection to the upstream now, whatever has been read."""

    def after(self, chunk: LastChunk) -> Reply:
        """This answer with one more chunk at its end; what comes before it passes through untouched.

        chunk: the fields that are added, such as `{"sources": [...]}`, or a function that returns them once the rest
        has come; id, model and the like are filled in. A whole answer gets them as fields of its own. An answer that
        breaks off gets none.
        """
        return AppendedReply(self, chunk)

    def map_chunks(self, change: ChangeChunks) -> Reply:
        """This answer with the chunks that `change`, an asynchronous generator over its chunks, yields instead."""
        return ChangedReply(self, change)

    def map_text(self, change: ChangeText) -> Reply:
        """This answer with another text.

        change: called once for each choice; what it returns is called with each piece of the text, and whether that is
        the last, and returns what is sent instead. It may hold text back until it has seen more.
        """
        return ChangedReply(self, changed_texts(change))


class WrappedReply(Reply):
    """A reply around another one, whose headers it has, and which it closes."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.headers.update(reply.headers)

    async def aclose(self) -> None:
        await self._reply.aclose()


class JsonReply(Reply):
    """A whole answer, there already: nothing is open, and it can be read more than once.

    answer: the object of a chat or a text completion. usage: whether its chunks end with the token counts. content: the
    bytes that it was read from, where they may be passed on.
    """

    def __init__(self, answer: dict[str, Any], *, usage: bool = False, content: bytes | None = None) -> None:
        self._answer = answer
        self._usage = usage
        self._content = content

    async def completion(self) -> Any:
        """The answer object as it came."""
        return self._answer

    async def body(self) -> bytes:
        """The bytes as they came, where they are known."""
        return dump(self._answer) if self._content is None else self._content

    async def chunks(self) -> AsyncGenerator[Any, None]:
        """The answer in pieces, for a client that asked for a stream of a runtime that sent none."""
        for chunk in taken_apart(self._answer, usage=self._usage):
            yield chunk


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
        whole = JsonReply(await self._reply.completion(), usage=True)
        async with aclosing(whole.chunks()) as chunks, aclosing(self._change(chunks)) as changed:
            return put_together([chunk async for chunk in changed])


class AppendedReply(WrappedReply):
    """Another reply and, at its end, one chunk more."""

    def __init__(self, reply: Reply, chunk: LastChunk) -> None:
        super().__init__(reply)
        self._chunk = chunk

    async def chunks(self) -> AsyncGenerator[Any, None]:
        first: Mapping[str, Any] = {}
        async with aclosing(self._reply.chunks()) as chunks:
            async for chunk in chunks:
                first = first or chunk
                yield chunk
        yield self._last(first)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        first: Mapping[str, Any] = {}
        async with aclosing(self._reply.frames()) as frames:
            async for frame in frames:
                if not first and (event := sse.parse(frame)) is not None:
                    first = event.object() or {}
                if frame == sse.DONE:
                    yield sse.encode(self._last(first))
                yield frame

    async def completion(self) -> Any:
        answer = dict(await self._reply.completion())
        for name, value in self._added().items():
            if name != "choices":
                answer[name] = joined(answer.get(name), value)
        return answer

    def _last(self, first: Mapping[str, Any]) -> dict[str, Any]:
        return {**shared(first), "choices": [], **self._added()}

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
            yield {**shared(first), "choices": unfinished}

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
