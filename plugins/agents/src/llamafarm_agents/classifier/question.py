"""One text that is to be classified, who can be asked, and what has been answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import llamafarm
from llamafarm import all_of
from llamafarm.errors import RequestError, UpstreamError
from llamafarm.wire import CHAT, ChatRequest, Operation

from llamafarm_agents.usage import added

Result = TypeVar("Result")
MOST_AT_ONCE = 8
"""So many requests of one turn run side by side."""


@dataclass
class Question:
    """A text. rest: what comes next in the chain. model: the entry that is asked in its place; None is the turn's own.

    head: the first answer of a chat model, without its choices. usage: the counts of all answers. headers: for the
    client.
    """

    text: str
    turn: llamafarm.Turn
    rest: llamafarm.Ask
    model: str | None = None
    head: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def entry(self) -> llamafarm.ModelEntry:
        """The entry that is asked. Raises UsageError for one that the project does not have."""
        return self.turn.entry if self.model is None else self.turn.project.entry(self.model)

    async def chat(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The first choice of a whole answer. Raises UpstreamError for one that has none."""
        reply = await self._reply(request)
        try:
            answer: dict[str, Any] = await reply.completion()
        finally:
            await reply.aclose()
        self.headers.update(reply.headers)
        self._count(answer)
        self.head = self.head or {name: value for name, value in answer.items() if name not in ("choices", "usage")}
        if not answer.get("choices"):
            raise UpstreamError("The answer has no choices.", provider=self.entry.provider)
        return cast("dict[str, Any]", answer["choices"][0])

    async def ask(self, operation: Operation, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to something else than a chat, past the rest of the chain."""
        answer: dict[str, Any] = await self.turn.ask(operation, request, model=self.model)
        self._count(answer)
        return answer

    async def _reply(self, request: Mapping[str, Any]) -> llamafarm.Reply:
        if self.model is None:
            return await self.rest(replace(self.turn, request=cast("ChatRequest", request)))
        return cast("llamafarm.Reply", await self.turn.ask(CHAT, request, model=self.model))

    def _count(self, answer: Mapping[str, Any]) -> None:
        self.usage = added(self.usage, answer.get("usage") or {})


def text_of(request: Mapping[str, Any]) -> str:
    """The text that is to be classified: that of the user's last message. Raises RequestError where there is none."""
    users = [number for number, message in enumerate(request["messages"]) if message["role"] == "user"]
    if not users:
        raise RequestError("There is nothing to classify: no message is a user's.", param="messages")
    content = request["messages"][users[-1]].get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    if other := next((part for part in parts if not isinstance(part.get("text"), str)), None):
        raise _refused(f"the user's last message holds {other.get('type')!r}, and only texts are sorted", users[-1])
    text = "\n".join(part["text"] for part in parts)
    if not text.strip():
        raise _refused("the user's last message has no text", users[-1])
    return text


def _refused(reason: str, number: int) -> RequestError:
    param = f"messages[{number}].content"
    return RequestError(f"This cannot be classified: {reason}.", code="invalid_value", param=param)


async def side_by_side(questions: Iterable[Awaitable[Result]]) -> list[Result]:
    """The answers to several questions, in their order. Where one fails, the others end and its error is raised."""
    free = asyncio.Semaphore(MOST_AT_ONCE)

    async def answer(question: Awaitable[Result]) -> Result:
        async with free:
            return await question

    return await all_of(answer(question) for question in questions)
