"""Answers that go to the reader as they come, and are checked at their end."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import llamafarm
from llamafarm.wire import sse

from llamafarm_agents.structured.answer import Wish
from llamafarm_agents.structured.asking import objects_field

_DATA, _END = b"data: ", b"\n\n"
_HEAD = ("id", "object", "created", "model")
_PLAIN = {"role", "content"}
_OTHER = ("refusal", "tool_calls")


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
        passed: list[bytes] = []
        async with aclosing(self._reply.frames()) as frames:
            async for frame in frames:
                if frame == sse.DONE:
                    yield sse.encode(_texts_of(passed).last(self._wish))
                passed.append(frame)
                yield frame

    async def aclose(self) -> None:
        await self._reply.aclose()


def _texts_of(frames: list[bytes]) -> _Texts:
    """What stands in a stream: parsed at once where each frame is one line of JSON, as nearly all are."""
    texts = _Texts()
    try:
        chunks = json.loads(
            b"[%s]" % b"".join(frames).removeprefix(_DATA).removesuffix(_END).replace(_END + _DATA, b",")
        )
    except ValueError:
        chunks = [event.object() for frame in frames if (event := sse.parse(frame)) is not None]
    for chunk in chunks:
        if isinstance(chunk, dict):
            texts.add(chunk)
    return texts


class _Texts:
    """The messages of a stream as far as they have come."""

    def __init__(self) -> None:
        self._first: Mapping[str, Any] = {}
        self._choices: dict[int, _Text] = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        self._first = self._first or chunk
        for piece in chunk.get("choices") or ():
            text = self._choices.get(piece.get("index", 0))
            if text is None:
                text = self._choices[piece.get("index", 0)] = _Text()
            text.add(piece)

    def last(self, wish: Wish) -> dict[str, Any]:
        """The chunk that ends the stream. Raises UpstreamError where an answer does not fit."""
        values = []
        for index in sorted(self._choices):
            choice = self._choices[index].choice()
            checked = wish.read(choice)
            if checked is not None and checked.problems:
                raise wish.failure([checked.problems], choice)
            values.append(None if checked is None else checked.value)
        head = {name: self._first[name] for name in _HEAD if name in self._first}
        return {**head, "choices": [], **objects_field(values)}


class _Text:
    """One choice."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._other: dict[str, Any] = {}
        self._reason: str | None = None

    def add(self, piece: Mapping[str, Any]) -> None:
        delta = piece.get("delta") or {}
        if content := delta.get("content"):
            self._pieces.append(content)
        if not delta.keys() <= _PLAIN:
            self._other.update({name: delta[name] for name in _OTHER if delta.get(name)})
        self._reason = piece.get("finish_reason") or self._reason

    def choice(self) -> dict[str, Any]:
        """It as a whole answer has it."""
        return {"message": {"content": "".join(self._pieces), **self._other}, "finish_reason": self._reason}
