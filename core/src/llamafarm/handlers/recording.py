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
                event = sse.parse(frame)
                if event is not None and event.data.strip() == "[DONE]":
                    answer.is_finished = True
                    await self._keep_streamed(answer)
                elif event is not None:
                    answer.add(event.object())
                yield frame
        await self._keep_streamed(answer)

    async def _keep_streamed(self, answer: StreamedAnswer) -> None:
        """Keep it once, where it has ended and holds a message."""
        choices = answer.whole()["choices"] if answer.is_finished and not answer.is_spoiled else ()
        if choices:
            answer.is_spoiled = True
            await self._keep(choices[0]["message"])

    async def _keep(self, message: Mapping[str, Any]) -> None:
        kept: Any = {name: message[name] for name in KEPT_FIELDS if message.get(name) is not None}
        kept.setdefault("content", None)
        await self._session.append([*self._turn.request["messages"], *self._turn.steps, kept])


class StreamedAnswer(Assembler):
    """An answer that is put together while it passes. Spoiled is one that holds an error, or is kept already."""

    def __init__(self) -> None:
        super().__init__()
        self.is_finished = False
        self.is_spoiled = False

    def add(self, chunk: Mapping[str, Any] | None) -> None:
        """Read one chunk. An object that is not a chunk, such as an error in the stream, spoils the answer."""
        if chunk is None or chunk.get("error"):
            self.is_spoiled = True
            return
        try:
            super().add(chunk)
        except ValueError:
            self.is_spoiled = True
        else:
            self.is_finished = self.is_finished or any(map(is_end, chunk.get("choices") or ()))


def is_end(choice: Mapping[str, Any]) -> bool:
    """Whether a choice of a chunk says why it ends."""
    return bool(choice.get("finish_reason"))
