"""What of the hits goes before the model: as many, from the best one on, as its context has room for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import llamafarm
import regex
from llamafarm.errors import ProviderError, RequestError
from llamafarm.wire import Message

from llamafarm_rag.answering.frame import code_of, framed
from llamafarm_rag.answering.sentences import sentence_ends
from llamafarm_rag.answering.sources import Source
from llamafarm_rag.answering.token_meter import TokenMeter

ASSUMED_LENGTH = 4096
"""The context length of a model of which nobody says one, in tokens."""
_USUAL_ANSWER = 512
"""Tokens that are kept for an answer whose request names no limit, where a quarter of the context is not less."""
_MOST_CHARACTERS_A_TOKEN = 24
"""No text is measured that must be too long by this."""
_WORD_END = regex.compile(r"(?<=\S)(?=\s)")


@dataclass(frozen=True)
class Context:
    """What the model is sent. sources: those in `messages`. facts: of its size, as JSON, for the trace."""

    messages: list[Message]
    sources: Sequence[Source]
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Room:
    """length: of the model's context. prompt: how long the whole prompt may be. All in tokens."""

    length: int
    is_assumed: bool
    prompt: int


async def in_context(turn: llamafarm.Turn, sources: Sequence[Source], told: str, share: float) -> Context:
    """The conversation of a turn with what the model is told and the sources that fit, the last ones left out.

    share: how much of the context they may take, 0 to 1. Of the first one, whole sentences are kept as they fit, where
    all of it does not. Raises RequestError where the conversation leaves no room for it.
    """
    meter, code = TokenMeter(turn), code_of(turn.request["messages"], sources)
    sizes: dict[tuple[int, int], int] = {}

    async def size(shown: Sequence[Source]) -> int:
        key = (len(shown), len(shown[-1].text) if shown else 0)
        if key not in sizes:
            sizes[key] = await meter.tokens(framed(turn.request["messages"], told, shown, code))
        return sizes[key]

    bare = await size([])
    room = await _room(turn, bare, share)
    shown = await _fitting(sources, size, room.prompt)
    if not shown:
        raise _no_room(bare, room)
    facts = {
        "used": len(shown),
        "left_out": len(sources) - len(shown),
        "cut": shown[0].text != sources[0].text,
        "tokens": await size(shown) - bare,
        "context_length": None if room.is_assumed else room.length,
        "counted": "by the runtime" if meter.is_exact else "estimated",
    }
    return Context(framed(turn.request["messages"], told, shown, code), shown, facts)


async def _room(turn: llamafarm.Turn, bare: int, share: float) -> _Room:
    try:
        length = (await turn.model.info()).context_length
    except ProviderError:  # whoever answers the turn says it
        length = None
    known = length or ASSUMED_LENGTH
    return _Room(known, length is None, min(known - _of_answer(turn, known), bare + int(share * known)))


def _of_answer(turn: llamafarm.Turn, length: int) -> int:
    """Tokens to be kept for the answer. A limit that nearly fills the context says nothing: then it is half of it."""
    asked = turn.request.get("max_completion_tokens") or turn.request.get("max_tokens")
    if asked is None:
        return min(_USUAL_ANSWER, length // 4)
    return asked if asked <= length * 3 // 4 else length // 2


async def _fitting(
    sources: Sequence[Source], size: Callable[[Sequence[Source]], Awaitable[int]], most: int
) -> Sequence[Source]:
    """The first ones whose prompt is not longer than `most` tokens; of the first alone, its beginning."""

    async def fits(count: int) -> bool:
        return _may_fit(sources[:count], most) and await size(sources[:count]) <= most

    if count := await _largest(len(sources), fits):
        return sources[:count]
    first = _until(sources[0], most * _MOST_CHARACTERS_A_TOKEN)
    for ends in (sentence_ends(first.text), [end.start() for end in _WORD_END.finditer(first.text)]):

        async def fits_until(at: int, ends: list[int] = ends) -> bool:
            beginning = [_until(first, ends[at - 1])]
            return _may_fit(beginning, most) and await size(beginning) <= most

        if at := await _largest(len(ends), fits_until):
            return [_until(first, ends[at - 1])]
    return []


def _may_fit(sources: Sequence[Source], most: int) -> bool:
    return sum(len(source.text) for source in sources) <= most * _MOST_CHARACTERS_A_TOKEN


async def _largest(count: int, fits: Callable[[int], Awaitable[bool]]) -> int:
    """The largest number up to `count` that fits, where all smaller ones fit too; 0 where none does."""
    if not count or await fits(count):
        return count
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await fits(middle) else (low, middle)
    return low


def _until(source: Source, end: int) -> Source:
    return replace(source, text=source.text[:end])


def _no_room(bare: int, room: _Room) -> RequestError:
    return RequestError(
        f"The conversation leaves no room for sources: it has about {bare} tokens, and of a context of {room.length}, "
        f"{room.prompt} are for what is asked.",
        hint="Begin a new conversation, ask for a shorter answer (`max_tokens`), or take a model that reads more.",
        code="context_length_exceeded",
        param="messages",
    )
