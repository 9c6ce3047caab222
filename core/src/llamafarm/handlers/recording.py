"""A reply that keeps its turn in a session once it has ended well, and passes on the bytes unchanged.

A turn is kept whole or not at all: an answer that breaks off, and one that the client cancels, leaves the session as it
was, so that sending the same messages again is always right. The turn is in the database before the client is told
that the answer is complete, so that whoever has read the end of an answer finds it in the history.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from llamafarm.handlers.base import Session, Turn
from llamafarm.providers.assemble import Assembler
from llamafarm.providers.reply import Reply, WrappedReply
from llamafarm.wire import sse
from llamafarm.wire.chat import ChatChunk, ChatCompletion

KEPT_FIELDS = ("role", "content", "tool_calls", "refusal")
"""What of an answer goes into the history. Reasoning does not: runtimes advise against, or refuse, sending it back."""


class RecordedReply(WrappedReply):
    """Wraps the reply to a turn's messages: they, the turn's steps and the first choice are kept in `session`."""

    def __init__(self, reply: Reply, session: Session, turn: Turn) -> None:
        super().__init__(reply)
        self._session = session
        self._turn = turn

    async def completion(self) -> ChatCompletion:
        answer: ChatCompletion = await self._reply.completion()
        await self._keep(answer)
        return answer

    async def chunks(self) -> AsyncGenerator[ChatChunk, None]:
        recording = Recording()
        async with aclosing(self._reply.chunks()) as chunks:
            async for chunk in chunks:
                recording.add(chunk)
                yield chunk
        await self._keep(recording.answer())

    async def frames(self) -> AsyncGenerator[bytes, None]:
        recording = Recording()
        async with aclosing(self._reply.frames()) as frames:
            async for frame in frames:
                event = sse.parse(frame)
                if event is not None and event.data.strip() == "[DONE]":
                    await self._keep(recording.answer())
                elif event is not None:
                    recording.add(event.object())
                yield frame

    async def _keep(self, answer: Mapping[str, Any]) -> None:
        """Keep the turn, where its answer holds a message."""
        if not answer.get("choices"):
            return
        message = answer["choices"][0]["message"]
        kept: Any = {name: message[name] for name in KEPT_FIELDS if message.get(name) is not None}
        kept.setdefault("content", None)
        await self._session.append([*self._turn.request["messages"], *self._turn.steps, kept])


class Recording:
    """An answer that is put together while it passes; one that holds an error is none."""

    def __init__(self) -> None:
        self._assembler = Assembler()
        self._is_broken = False

    def add(self, chunk: Mapping[str, Any] | None) -> None:
        """Read one chunk. An object that is not a chunk, such as an error in the stream, breaks the answer."""
        try:
            if chunk is None or chunk.get("error"):
                raise ValueError("an error, or no object")
            self._assembler.add(chunk)
        except ValueError:
            self._is_broken = True

    def answer(self) -> Mapping[str, Any]:
        """The whole answer; empty where it is broken."""
        return {} if self._is_broken else self._assembler.whole()
