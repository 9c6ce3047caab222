"""What is to be looked up for a turn: its question, in a form that can be understood without the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import llamafarm
from llamafarm.errors import LlamaFarmError
from llamafarm.wire import CHAT, Message

from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.answering.place import Place
from llamafarm_rag.answering.support import support
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.store.base import Filter

_TOLD = (
    "Rewrite the last question of the user so that it can be understood without the conversation: put in what words "
    "like `it` or `there` stand for. Write the question alone, in the user's language. Do not answer it."
)
_MOST_TOKENS = 128
_MESSAGES, _CHARACTERS = 6, 800
"""Of the conversation, as much is told to who rewrites: the last messages, and the beginning of each."""
_LEAST_KNOWN = 0.6
"""The least share of the words of a rewritten question that the conversation has."""


def question_of(messages: Sequence[Message]) -> str:
    """What the user said last, its texts alone; empty where there are none."""
    return next((text_of(message) for message in reversed(messages) if message["role"] == "user"), "")


def text_of(message: Message) -> str:
    """The texts of a message."""
    content = message.get("content")
    if isinstance(content, str):
        return content.strip()
    texts = [part["text"] for part in content or () if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(texts).strip()


@dataclass(frozen=True)
class Wording:
    """A question as it is looked for. queries: what is searched for in the place of `text`."""

    text: str
    queries: tuple[str, ...] | None = None


async def wording_of(turn: llamafarm.Turn, rewrite: str) -> Wording:
    """The question of a turn, or the client's `rag_queries`; its text is empty where there is none."""
    queries = turn.fields.get("rag_queries")
    if queries:
        return Wording(question_of(turn.request["messages"]) or queries[0], tuple(queries))
    return await _standalone(turn, rewrite)


async def _standalone(turn: llamafarm.Turn, rewrite: str) -> Wording:
    """A question that can be understood alone. The first one of a conversation is taken as it is.

    rewrite: `auto` has the turn's own model put a later one so that it stands alone, the name of a model entry that
    one; `off` nobody. Where nobody does, or what it writes is not to be used, the last question is searched for alone,
    and together with what the user said before: it may begin a new subject. The trace says which.
    """
    messages = turn.request["messages"]
    said = [text for message in messages if message["role"] == "user" and (text := text_of(message))]
    question = question_of(messages)
    if len(said) < 2 or not question:
        return Wording(question)
    if rewrite != "off":
        with suppress(_NotUsable):
            rewritten = await _rewritten(turn, question, None if rewrite == "auto" else rewrite)
            turn.note("rag", rewritten=rewritten)
            return Wording(rewritten)
    together = f"{said[-2][:_CHARACTERS]}\n{question}"
    return Wording(together, (together, question))


def asked_for(turn: llamafarm.Turn, options: RagOptions, place: Place, wording: Wording) -> Question:
    """What is looked for. A field that is not given leaves it to the options, and these to the strategy."""
    fields = turn.fields
    return Question(
        wording.text,
        wording.queries,
        _given(fields.get("rag_top_k"), options.top_k),
        _given(fields.get("rag_score_threshold"), options.score_threshold),
        _filters(place, fields.get("rag_filters")),
    )


def _filters(place: Place, wanted: Filter | None) -> Filter | None:
    """What the client wants, of the dataset that is meant."""
    if place.dataset is None:
        return wanted or None
    own = {"dataset": place.dataset.name}
    return {"$and": [own, wanted]} if wanted else own


def _given(field: Any, option: Any) -> Any:
    return option if field is None else field


class _NotUsable(Exception):
    """The question could not be rewritten."""


async def _rewritten(turn: llamafarm.Turn, question: str, model: str | None) -> str:
    """Raises _NotUsable, which the trace tells the cause of."""
    conversation = _transcript(turn.request["messages"])
    request = {
        "messages": [{"role": "system", "content": _TOLD}, {"role": "user", "content": conversation}],
        "max_tokens": _MOST_TOKENS,
        "temperature": 0,
    }
    try:
        text = await _asked(turn, request, model)
    except LlamaFarmError as error:
        turn.note("rag", not_rewritten=error.message)
        raise _NotUsable from error
    rewritten = text.strip().strip("\"'“”„«»").strip()
    if (objection := _objection(rewritten, question, conversation)) is not None:
        turn.note("rag", not_rewritten=objection, rewritten_as=rewritten[:_CHARACTERS])
        raise _NotUsable
    return rewritten


async def _asked(turn: llamafarm.Turn, request: Mapping[str, Any], model: str | None) -> str:
    reply: llamafarm.Reply = await turn.ask(CHAT, request, model=model)
    try:
        return await reply.text()
    finally:
        await reply.aclose()


def _transcript(messages: Sequence[Message]) -> str:
    told = [(message["role"], text_of(message)) for message in messages if message["role"] in ("user", "assistant")]
    lines = [f"{role.capitalize()}: {text[:_CHARACTERS]}" for role, text in told if text]
    return "\n".join(lines[-_MESSAGES:])


def _objection(rewritten: str, question: str, conversation: str) -> str | None:
    """Why a rewritten question is not to be used: it must ask what the question asks, in words of the conversation."""
    if not rewritten:
        return "it is empty"
    if len(rewritten.splitlines()) > 1 or len(rewritten) > 200 + 2 * len(question):
        return "it is no single question"
    known = support(rewritten, conversation)
    if known.missing or known.share < _LEAST_KNOWN:
        return "it says what the conversation does not"
    kept = support(question, rewritten)
    if kept.missing or (kept.words and not kept.share):
        return "it leaves out what is asked"
    return None
