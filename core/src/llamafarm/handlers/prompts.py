"""Prompt sets: the messages of llamafarm.yaml that stand before a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from llamafarm.errors import ConfigError
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.chat import Message


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


def put_before(conversation: list[Message], prompts: list[Message]) -> list[Message]:
    """Return `prompts` and then `conversation`, the system texts at the beginning as one message.

    Many models' templates take one system message only. A conversation without prompts is left as it is.
    """
    if not prompts:
        return conversation
    messages = [*prompts, *conversation]
    first = list(takewhile(_is_system_text, messages))
    if len(first) < 2:
        return messages
    text = "\n\n".join(str(message.get("content")) for message in first)
    return [{"role": "system", "content": text}, *messages[len(first) :]]


def _is_system_text(message: Message) -> bool:
    return message["role"] == "system" and isinstance(message.get("content"), str)
