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
    """What stands in a stream, all of it parsed at once: a tenth of the time that its frames take one by one."""
    texts = _Texts()
    data = [read for frame in frames if (read := _data(frame))]
    try:
        chunks = json.loads(b"[%s]" % b",".join(data))
    except ValueError:  # some frame is no JSON, which is for whoever reads it
        chunks = [event.object() for frame in frames if (event := sse.parse(frame)) is not None]
    for chunk in chunks:
        if isinstance(chunk, dict):
            texts.add(chunk)
    return texts


def _data(frame: bytes) -> bytes:
    """The data of a frame; of one line, as nearly all are, without a look at it."""
    if frame.startswith(_DATA) and frame.endswith(_END) and frame.count(b"\n") == len(_END):
        return frame[len(_DATA) : -len(_END)]
    event = sse.parse(frame)
    return event.data.encode() if event is not None else b""


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
