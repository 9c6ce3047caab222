"""How many tokens a conversation is to the model of a turn: counted by its runtime, or estimated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import llamafarm
from llamafarm.errors import ProviderError
from llamafarm.wire import ChatRequest, Message

_BYTES_A_TOKEN = 3
"""Estimated: of UTF-8, where tokens of English have 4 to 5 and those of other scripts 2 to 6. Rather too many."""
_TOKENS_A_MESSAGE = 8
"""Estimated: what a template writes around one message."""
_TOKENS_A_PART = 1000
"""Estimated: of a picture, a sound or a file."""


class TokenMeter:
    """Measures the prompts of one turn. is_exact: whether its runtime has counted them; None before the first one."""

    def __init__(self, turn: llamafarm.Turn) -> None:
        self.is_exact: bool | None = None
        self._turn = turn

    async def tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens a prompt of these messages has, the tools of the request included."""
        if self.is_exact is not False:
            count = await self._count(messages)
            self.is_exact = count is not None
            if count is not None:
                return count
        return estimated(messages) + _of_text(json.dumps(self._turn.request.get("tools") or ""))

    async def _count(self, messages: Sequence[Message]) -> int | None:
        """None where the runtime cannot count, or fails at it: that is no reason not to ask it."""
        request = cast("ChatRequest", {**self._turn.request, "messages": list(messages)})
        try:
            return await self._turn.model.count_tokens(request)
        except ProviderError as error:
            self._turn.note("rag", not_counted=error.message)
            return None


def estimated(messages: Sequence[Message]) -> int:
    """Tokens of messages by their bytes: a third of them, 8 for each message, 1,000 for a part that is no text."""
    return sum(_TOKENS_A_MESSAGE + _of_content(message.get("content")) + _of_calls(message) for message in messages)


def _of_content(content: Any) -> int:
    if isinstance(content, str):
        return _of_text(content)
    return sum(_of_part(part) for part in content or ())


def _of_part(part: Any) -> int:
    is_text = isinstance(part, Mapping) and isinstance(part.get("text"), str)
    return _of_text(part["text"]) if is_text else _TOKENS_A_PART


def _of_calls(message: Message) -> int:
    calls = message.get("tool_calls")
    return _of_text(json.dumps(calls)) if calls else 0


def _of_text(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN)
