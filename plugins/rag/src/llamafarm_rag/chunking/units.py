"""The parts that chunks are put together from, each counted in tokens and none too long for a chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from llamafarm_rag.chunking.spans import Span, letter_groups, lines, sentences, words
from llamafarm_rag.documents.document import Block, Document

CountTokens = Callable[[Sequence[str]], Awaitable[list[int]]]
"""How many tokens each of several texts is to the embedder."""
_CHARACTERS_A_TOKEN = 16
"""A tokenizer that takes a long word for one unknown token does not make it short: so many characters are a token."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, a line, or a part of one that is too long. block: its number. cost: in tokens."""

    start: int
    end: int
    block: int
    cost: int
    is_whole: bool = True


async def units_of(document: Document, count_tokens: CountTokens, room: Callable[[Block], int]) -> list[Unit]:
    """All units of a document, in their order, none of them larger than the room in chunks of its block.

    Together they hold everything in the document's blocks that is no white space. Tokens are counted once for all
    sentences, and again for the parts of those that are too long.
    """
    units = await _counted(document.text, await asyncio.to_thread(_parts, document), count_tokens)
    while any(_is_too_long(unit, document, room) for unit in units):
        units = await _shortened(document, units, count_tokens, room)
    return units


def parts_of(text: str, unit: Unit, groups: int) -> list[Span]:
    """A unit in parts: the sentences of a line, or else words, or else groups of letters of the only word."""
    if unit.is_whole and len(spans := sentences(text, unit.start, unit.end)) > 1:
        return spans
    spans = words(text, unit.start, unit.end)
    if spans == [(unit.start, unit.end)]:
        return letter_groups(text, unit.start, unit.end, groups)
    return spans


def _parts(document: Document) -> list[tuple[Span, int, bool]]:
    return [
        (span, number, True)
        for number, block in enumerate(document.blocks)
        for span in (lines if block.by_line else sentences)(document.text, block.start, block.end)
    ]


async def _shortened(
    document: Document, units: Sequence[Unit], count_tokens: CountTokens, room: Callable[[Block], int]
) -> list[Unit]:
    """The same with each that is too long replaced by its parts."""
    parts: dict[Unit, list[Span]] = {}
    for unit in units:
        if _is_too_long(unit, document, room):
            parts[unit] = parts_of(document.text, unit, 1 + unit.cost // room(document.blocks[unit.block]))
    smaller = [(span, unit.block, False) for unit, spans in parts.items() for span in spans]
    counted = iter(await _counted(document.text, smaller, count_tokens))
    return [part for unit in units for part in ([next(counted) for _ in parts[unit]] if unit in parts else [unit])]


def _is_too_long(unit: Unit, document: Document, room: Callable[[Block], int]) -> bool:
    return unit.cost > room(document.blocks[unit.block]) and unit.end - unit.start > 1


async def _counted(text: str, parts: Sequence[tuple[Span, int, bool]], count_tokens: CountTokens) -> list[Unit]:
    counts = await count_tokens([text[start:end] for (start, end), _, _ in parts]) if parts else []
    return [
        Unit(start, end, block, max(tokens, -(-(end - start) // _CHARACTERS_A_TOKEN)), is_whole)
        for ((start, end), block, is_whole), tokens in zip(parts, counts, strict=True)
    ]
