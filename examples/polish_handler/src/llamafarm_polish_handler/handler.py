"""The handler: asks for a draft, lets the model improve it, and streams the last version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import llamafarm
from llamafarm.errors import RequestError
from llamafarm.wire import Message

from llamafarm_polish_handler.options import Polish, PolishOptions

HOW_TO_TRAVEL = ("stream", "stream_options", "n")
"""What a request says for its reader, who does not read drafts: each is one whole answer."""


class PolishHandler:
    """Middleware: `ask` is the rest of the chain, with the model at its end."""

    def __init__(self, options: PolishOptions) -> None:
        self._options = options

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Answer `turn`: polished where it has the field `polish`, else with the reply itself, no byte changed.

        Raises RequestError for more rounds than the project allows.
        """
        wish: Polish | None = turn.fields.get("polish")
        if wish is None:
            return await ask(turn)
        style = wish.style or self._options.style
        better = turn
        for _ in range(self._rounds(wish)):
            draft = await draft_of(better, ask)
            text = text_of(await draft.completion())
            if text is None:  # a tool call, for instance: there is nothing to polish
                return draft
            better = turn.with_messages([*turn.request["messages"], *improve(text, style)])
        return await ask(better)

    def _rounds(self, wish: Polish) -> int:
        rounds = wish.rounds or self._options.rounds
        if rounds > self._options.max_rounds:
            raise RequestError(
                f"The field 'polish' asks for {rounds} rounds; this project allows {self._options.max_rounds}.",
                hint="`max_rounds` in `handlers: {polish: …}` of llamafarm.yaml sets the limit.",
                param="polish",
            )
        return rounds


async def draft_of(turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.JsonReply:
    """One whole answer, read to its end. Whatever happens, what was asked for is closed."""
    request: Any = {name: value for name, value in turn.request.items() if name not in HOW_TO_TRAVEL}
    reply = await ask(replace(turn, request=request))
    try:
        draft = llamafarm.JsonReply(await reply.completion(), usage=wants_usage(turn))
        draft.headers.update(reply.headers)
        return draft
    finally:
        await reply.aclose()


def text_of(answer: dict[str, Any]) -> str | None:
    """The text of an answer; None where there is none, or more than text."""
    message: dict[str, Any] = next((choice["message"] for choice in answer["choices"]), {})
    return None if message.get("tool_calls") else message.get("content") or None


def improve(draft: str, style: str) -> list[Message]:
    """The messages that follow a conversation to get a better version of its answer."""
    wish = f"Write your last answer again, better, in this style: {style}. Give the new answer and nothing else."
    return [{"role": "assistant", "content": draft}, {"role": "user", "content": wish}]


def wants_usage(turn: llamafarm.Turn) -> bool:
    """Whether a streamed answer is to end with its token counts."""
    return bool((turn.request.get("stream_options") or {}).get("include_usage"))
