"""Prompt sets: the messages of llamafarm.yaml that stand before a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, cast

from llamafarm.errors import RequestError, UsageError
from llamafarm.handlers.base import Turn
from llamafarm.handlers.variables import filled, missing_variable, variables_in
from llamafarm.wire.chat import Message

PromptSets = Mapping[str, Sequence[Message]]


def with_prompts(turn: Turn, conversation: list[Message]) -> list[Message]:
    """The conversation behind the prompt sets of the turn's entry: those that it names, in its order, else all.

    `prompts_mode` of the entry says what becomes of system messages of the conversation, and the trace what was left
    out. Variables are filled in. Raises RequestError for one that nobody gives, and where nothing is left to be asked.
    """
    names = turn.entry.prompts or turn.project.prompts
    sets: PromptSets = {name: turn.project.prompts[name] for name in names}
    if any(map(_instructs, conversation)):
        if turn.entry.prompts_mode == "config_only":
            conversation = _without_instructions(turn, conversation)
        elif turn.entry.prompts_mode == "api_replace":
            sets = {name: [one for one in messages if not _instructs(one)] for name, messages in sets.items()}
            turn.note("prompts", system_messages_replaced=True)
    return put_before(conversation, _filled(sets, turn))


def with_prompt_sets(turn: Turn, conversation: list[Message], names: Sequence[str]) -> list[Message]:
    """The conversation behind the prompt sets of these names, whatever sets the turn's entry has.

    Variables are filled in. Raises RequestError for one that nobody gives, and UsageError for a set that is not there.
    """
    there = turn.project.prompts
    if unknown := [name for name in names if name not in there]:
        raise UsageError(f"There is no prompt set {unknown[0]!r}.", hint=f"Sets: {', '.join(there) or 'none'}.")
    return put_before(conversation, _filled({name: there[name] for name in names}, turn))


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


def _filled(sets: PromptSets, turn: Turn) -> list[Message]:
    """All messages of the sets, with their variables filled in. Raises RequestError."""
    requested = turn.fields.get("variables") or {}
    values = {**turn.project.variables, **turn.entry.variables, **requested}
    if requested:
        _note_unused(requested, sets, turn)
    messages: list[Message] = []
    for name, prompts in sets.items():
        for prompt in prompts:
            try:
                messages.append(cast("Message", {**prompt, "content": filled(_text(prompt), values)}))
            except KeyError as missing:
                raise missing_variable(missing.args[0], name) from None
    return messages


def _note_unused(requested: Iterable[str], sets: PromptSets, turn: Turn) -> None:
    """Clients send one set of variables to many models, so that this is no error."""
    used = {name for prompts in sets.values() for prompt in prompts for name, _ in variables_in(_text(prompt))}
    if unused := [name for name in requested if name not in used]:
        turn.note("prompts", unused_variables=unused)


def _without_instructions(turn: Turn, conversation: list[Message]) -> list[Message]:
    kept = [message for message in conversation if not _instructs(message)]
    turn.note("prompts", system_messages_left_out=len(conversation) - len(kept))
    if not kept:
        raise RequestError(
            f"The model entry {turn.entry.name!r} takes no system messages of requests, and there is no other message.",
            hint="`prompts_mode: config_only` of the entry says so.",
            param="messages",
        )
    return kept


def _instructs(message: Message) -> bool:
    return message["role"] in ("system", "developer")


def _is_system_text(message: Message) -> bool:
    return message["role"] == "system" and isinstance(message.get("content"), str)


def _text(prompt: Any) -> str:
    """What a message of a prompt set says: the file holds no other content."""
    return str(prompt["content"])
