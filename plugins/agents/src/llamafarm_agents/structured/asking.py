"""Asking until the answer fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import llamafarm
from llamafarm.errors import UpstreamError

from llamafarm_agents.structured.answer import Choice, Wish, is_cut
from llamafarm_agents.usage import added, wants_usage

_HOW_TO_TRAVEL = ("stream", "stream_options")


class Asking:
    """One turn. turn: asks by the mode of the wish already. retries: how often an answer is asked for again."""

    def __init__(self, turn: llamafarm.Turn, ask: llamafarm.Ask, wish: Wish, retries: int) -> None:
        self._turn = turn
        self._ask = ask
        self._wish = wish
        self._retries = retries
        self._usage: dict[str, Any] = {}
        self._headers: dict[str, str] = {}

    async def reply(self) -> llamafarm.Reply:
        """The whole answer, every choice of it checked. Raises UpstreamError for one that never fits."""
        first = await self._answer(self._turn)
        settled = [await self._settled(choice) for choice in first["choices"]]
        answer = {**first, "choices": [choice for choice, _ in settled]}
        if self._usage:
            answer["usage"] = self._usage
        reply = llamafarm.JsonReply(answer, usage=wants_usage(self._turn))
        reply.headers.update(self._headers)
        return reply.after(objects_field([value for _, value in settled]))

    async def _settled(self, choice: Choice) -> tuple[Choice, Any]:
        """One choice that fits, and its object."""
        turn, attempts = self._turn, []
        while (checked := self._wish.read(choice)) and checked.problems:
            attempts.append(checked.problems)
            turn.note("structured", attempt=len(attempts), problems=list(checked.problems))
            if is_cut(choice) or len(attempts) > self._retries:
                raise self._wish.failure(attempts, choice)
            better = self._wish.mode.again(choice["message"], checked.problems)
            turn = turn.with_messages([*turn.request["messages"], *better])
            [again] = (await self._answer(turn, n=1))["choices"][:1]
            choice = {**again, "index": choice["index"]}
        return (choice, None) if checked is None else (self._wish.written(choice, checked), checked.value)

    async def _answer(self, turn: llamafarm.Turn, **changes: Any) -> dict[str, Any]:
        """One whole answer of the rest of the chain, with at least one choice."""
        request: Any = {name: value for name, value in turn.request.items() if name not in _HOW_TO_TRAVEL}
        if "n" in request:
            request |= changes
        reply = await self._ask(replace(turn, request=request))
        try:
            answer: dict[str, Any] = await reply.completion()
        finally:
            await reply.aclose()
        if not answer.get("choices"):
            raise UpstreamError("The answer has no choices.", provider=self._wish.provider)
        self._headers.update(reply.headers)
        self._usage = added(self._usage, answer.get("usage") or {})
        return answer


def objects_field(values: list[Any]) -> dict[str, Any]:
    """What stands at the end of an answer: its object, or those of all its choices."""
    return {"llamafarm": {"object": values[0]} if len(values) == 1 else {"objects": values}}
