"""A reply that keeps its turn in a session once it has ended well, and passes on the bytes unchanged.

A turn is kept whole or not at all: an answer that breaks off, and one that the client cancels, leaves the session as it
was, so that sending the same messages again is always right. The turn is in the database before the client is told
that the answer is complete, so that whoever has read the end of an answer finds it in the history.
"""

from __future__ import annotations

import json
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
        if answer.get("choices"):
            await self._keep(answer["choices"][0]["message"])
        return answer

    async def chunks(self) -> AsyncGenerator[ChatChunk, None]:
        answer = StreamedAnswer()
        async with aclosing(self._reply.chunks()) as chunks:
            async for chunk in chunks:
                answer.add(chunk)
                yield chunk
        await self._keep_streamed(answer)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The upstream's bytes, cut between events."""
        answer = StreamedAnswer()
        async with aclosing(self._reply.frames()) as frames:
            async for frame in sse.split(frames):
                if answer.add_frame(frame):
                    await self._keep_streamed(answer)
                yield frame
        await self._keep_streamed(answer)

    async def _keep_streamed(self, answer: StreamedAnswer) -> None:
        message = answer.message() if answer.ended_well and not answer.kept else None
        if message is not None:
            answer.kept = True
            await self._keep(message)

    async def _keep(self, message: Mapping[str, Any]) -> None:
        kept: Any = {name: message[name] for name in KEPT_FIELDS if message.get(name) is not None}
        kept.setdefault("content", None)
        await self._session.append([*self._turn.request["messages"], *self._turn.steps, kept])


class StreamedAnswer:
    """What the chunks of a stream make together.

    ended_well: a finish reason or `[DONE]` has come, and no error.
    """

    def __init__(self) -> None:
        self.kept = False
        self._finished = False
        self._failed = False
        self._assembler = Assembler()

    @property
    def ended_well(self) -> bool:
        return self._finished and not self._failed

    def add_frame(self, frame: bytes) -> bool:
        """Read one whole SSE frame; True for the one that ends the stream."""
        event = sse.parse(frame)
        if event is None or not event.data:
            return False
        if event.data.strip() == "[DONE]":
            self._finished = True
            return True
        try:
            self.add(json.loads(event.data))
        except ValueError:
            self._failed = True
        return False

    def add(self, chunk: Any) -> None:
        """Read one chunk. An object that is not a chunk, such as an error in the stream, spoils the answer."""
        if not isinstance(chunk, dict) or chunk.get("error"):
            self._failed = True
            return
        try:
            self._assembler.add(chunk)
        except ValueError:
            self._failed = True
            return
        ends = [choice.get("finish_reason") for choice in chunk.get("choices") or ()]
        self._finished = self._finished or any(ends)

    def message(self) -> Mapping[str, Any] | None:
        """The message of the first choice; None where none has come."""
        choices = self._assembler.whole()["choices"]
        return choices[0]["message"] if choices else None
