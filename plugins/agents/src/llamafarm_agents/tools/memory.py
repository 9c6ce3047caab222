"""What was called before a turn ended with calls of the client's own functions.

The client answers those with the results, in a conversation that lacks what LlamaFarm itself has called in between. A
session has kept it; for clients that send the whole conversation it is kept here, and put where it belongs.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from llamafarm.wire import Message

_MOST = 200


class Memory:
    """Messages that belong before an answer, by the conversation that has led to it, and its calls.

    Nothing is found by a guess: who asks has to know the whole conversation.
    """

    def __init__(self) -> None:
        self._steps: OrderedDict[bytes, list[Message]] = OrderedDict()

    def keep(self, conversation: Sequence[Message], calls: Sequence[Any], steps: list[Message]) -> None:
        """Remember what was called after `conversation` and before an answer with these calls; the oldest is lost."""
        self._steps[_key(_digest(conversation), calls)] = steps
        while len(self._steps) > _MOST:
            self._steps.popitem(last=False)

    def completed(self, conversation: Sequence[Message]) -> list[Message]:
        """The conversation with what is remembered of it."""
        if not self._steps:
            return list(conversation)
        messages: list[Message] = []
        digest = _digest(())
        for message in conversation:
            if calls := message.get("tool_calls"):
                key = _key(digest, calls)
                if key in self._steps:
                    self._steps.move_to_end(key)
                    messages.extend(self._steps[key])
            messages.append(message)
            digest.update(_canonical(message))
        return messages


def _digest(conversation: Sequence[Message]) -> Any:
    digest = hashlib.sha256()
    for message in conversation:
        digest.update(_canonical(message))
    return digest


def _key(digest: Any, calls: Sequence[Any]) -> bytes:
    with_calls = digest.copy()
    with_calls.update(_canonical({"tool_calls": calls}))
    key: bytes = with_calls.digest()
    return key


def _canonical(message: Mapping[str, Any]) -> bytes:
    """What of a message every client sends back."""
    calls = [
        [call.get("id"), (call.get("function") or {}).get("name"), (call.get("function") or {}).get("arguments")]
        for call in message.get("tool_calls") or ()
    ]
    kept = [message.get("role"), message.get("content") or "", message.get("tool_call_id"), calls]
    return json.dumps(kept).encode()
