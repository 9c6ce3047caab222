"""From the program's lines to OpenAI's chunks. Source: OpenAI's API reference, "The chat completion chunk object"."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from llamafarm.wire import ChatChunk

from llamafarm_echo_process.errors import error_of, unreadable


async def chunks_of(
    lines: AsyncGenerator[dict[str, Any], None], model: str, provider: str, *, usage: bool
) -> AsyncGenerator[ChatChunk, None]:
    """A chunk for each token, one with the finish reason, and one with the token counts where `usage` asks for it.

    Raises ProviderError where a line is an error, or nothing that is known.
    """
    answer = _Answer(model)
    async with aclosing(lines):
        async for line in lines:
            match line:
                case {"token": str(token)}:
                    yield answer.chunk(token)
                case {"end": ("stop" | "length") as end}:
                    yield answer.chunk(None, end)
                    if usage and "completion_tokens" in line:
                        yield answer.counts(line["prompt_tokens"], line["completion_tokens"])
                case {"error": _}:
                    raise error_of(line, provider)
                case _:
                    raise unreadable(line, provider)


class _Answer:
    """What all chunks of one answer have in common."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.id = f"chatcmpl-{uuid.uuid4().hex}"
        self.created = int(time.time())
        self.begun = False

    def chunk(self, text: str | None, finish: Literal["stop", "length"] | None = None) -> ChatChunk:
        delta: dict[str, Any] = {} if self.begun else {"role": "assistant"}
        self.begun = True
        if text is not None:
            delta["content"] = text
        return self._with([{"index": 0, "delta": delta, "finish_reason": finish}])

    def counts(self, prompt: int, completion: int) -> ChatChunk:
        chunk = self._with([])
        chunk["usage"] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        return chunk

    def _with(self, choices: Any) -> ChatChunk:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
