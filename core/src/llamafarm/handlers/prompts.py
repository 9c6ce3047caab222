"""Prompt sets: the messages of llamafarm.yaml that stand before a conversation."""

from __future__ import annotations

from itertools import takewhile

from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.chat import Message


def prompt_messages(project: Project, entry: ModelEntry) -> list[Message]:
    """The messages of the prompt sets that the entry names, in its order; all sets where it names none."""
    return [message for name in entry.prompts or project.prompts for message in project.prompts[name]]


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
