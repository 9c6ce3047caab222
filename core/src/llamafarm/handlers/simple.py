"""The handler that every conversation goes through: prompt sets, the history of the session, keeping the answer."""

from __future__ import annotations

from collections.abc import Mapping

from llamafarm.errors import ConfigError
from llamafarm.handlers.base import Ask, Turn
from llamafarm.handlers.recording import RecordedReply
from llamafarm.project import Project
from llamafarm.providers.base import Reply
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.chat import Message


class SimpleHandler:
    """Asks once, with prompts + history + the request's own messages, in this order.

    Without a session the reply is passed on as the same object. With one, the request's messages and the answer are
    kept once the answer has ended well; a turn that fails or is broken off leaves no trace (see `recording`).
    """

    async def run(self, turn: Turn, ask: Ask) -> Reply:
        new = turn.request["messages"]
        history = await turn.session.history() if turn.session else []
        reply = await ask(turn.with_messages([*prompt_messages(turn.project, turn.entry), *history, *new]))
        return RecordedReply(reply, turn.session, new) if turn.session else reply


def prompt_messages(project: Project, entry: ModelEntry) -> list[Message]:
    """The messages of the entry's prompt sets, in the entry's order; an entry that names none gets all sets in order.

    Raises ConfigError for a set that the project does not have.
    """
    sets = {prompts.name: prompts.messages for prompts in project.prompts}
    names = entry.prompts or list(sets)
    return [message for name in names for message in _messages(name, sets, entry)]


def _messages(name: str, sets: Mapping[str, tuple[Message, ...]], entry: ModelEntry) -> tuple[Message, ...]:
    if name not in sets:
        raise ConfigError(
            f"The model entry {entry.name!r} names the prompt set {name!r}, which does not exist.",
            hint=f"Prompt sets: {', '.join(sets) or 'none'}.",
        )
    return sets[name]
