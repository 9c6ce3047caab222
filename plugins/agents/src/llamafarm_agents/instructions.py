"""What models are told beside the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from llamafarm.wire import Message


def with_instructions(messages: Sequence[Message], text: str) -> list[Message]:
    """A conversation whose system message ends with `text`: many templates take one system message only."""
    first = list(takewhile(_is_system_text, messages))
    if not first:
        return [{"role": "system", "content": text}, *messages]
    last: Any = first[-1]
    told: Any = {**last, "content": f"{last['content']}\n\n{text}"}
    return [*first[:-1], told, *messages[len(first) :]]


def _is_system_text(message: Message) -> bool:
    return message["role"] == "system" and isinstance(message.get("content"), str)
