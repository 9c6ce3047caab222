"""The handler that every conversation goes through: prompt sets, the history of the session, keeping the answer."""

from __future__ import annotations

from llamafarm.handlers.base import Ask, Turn
from llamafarm.handlers.prompts import with_prompts
from llamafarm.handlers.recording import RecordedReply
from llamafarm.providers.reply import Reply


class SimpleHandler:
    """Asks once, with prompts + history + the request's own messages, in this order.

    Without a session the reply is passed on as the same object. With one, the request's messages, the turn's steps and
    the answer are kept once it has ended well; a turn that fails or is broken off leaves no trace (see `recording`).
    """

    async def run(self, turn: Turn, ask: Ask) -> Reply:
        history = await turn.session.history() if turn.session else []
        reply = await ask(turn.with_messages(with_prompts(turn, [*history, *turn.request["messages"]])))
        return RecordedReply(reply, turn.session, turn) if turn.session else reply
