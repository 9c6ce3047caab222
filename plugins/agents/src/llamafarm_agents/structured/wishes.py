"""What models are told: which answer is wanted, and what was wrong with the last one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llamafarm.wire import Message

from llamafarm_agents.instructions import with_instructions
from llamafarm_agents.structured.schema import Schema

_WANTED = "Answer with one JSON value that is valid against this JSON Schema, and with nothing else:\n\n{schema}"
_FENCED = "Answer with one block of code, ```json … ```, whose JSON is valid against this JSON Schema:\n\n{schema}"
_WRONG = "That answer does not fit the schema:\n{problems}\nGive the whole answer again, with these mended."
_WRONG_CALL = "The arguments do not fit the schema:\n{problems}\nCall the function again, with these mended."
_NO_CALL = "You have called no function. Give the answer by calling the function."


def with_schema(messages: Sequence[Message], schema: Schema, *, fenced: bool = False) -> list[Message]:
    """A conversation whose system message says which JSON is wanted."""
    text = (_FENCED if fenced else _WANTED).format(schema=json.dumps(schema.definition, ensure_ascii=False))
    return with_instructions(messages, text)


def better_text(message: Message, problems: Sequence[str]) -> list[Message]:
    """The answer that did not fit, and what is wrong with it."""
    return [message, {"role": "user", "content": _WRONG.format(problems=_listed(problems))}]


def better_call(message: Message, problems: Sequence[str]) -> list[Message]:
    """The same where the answer is a call; each call of a message has to get a result."""
    calls: Any = message.get("tool_calls")
    if not calls:
        return [message, {"role": "user", "content": _NO_CALL}]
    result = _WRONG_CALL.format(problems=_listed(problems))
    results: list[Message] = [{"role": "tool", "tool_call_id": call["id"], "content": result} for call in calls]
    return [message, *results]


def _listed(problems: Sequence[str]) -> str:
    return "\n".join(f"- {problem}" for problem in problems)
