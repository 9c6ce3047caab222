"""The parts that chunks are put together from, each counted in tokens and none too long for a chunk."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document that is not counted yet."""

    start: int
    end: int
    block: int
    is_whole: bool = True

    def text(self, document: Document) -> str:
        return document.text[self.start : self.end]

    def unit(self, tokens: int) -> Unit:
        """It as a unit of so many tokens."""
        cost = max(tokens, -(-(self.end - self.start) // _CHARACTERS_A_TOKEN))
        return Unit(self.start, self.end, self.block, cost, self.is_whole)


def sentences_of(document: Document) -> list[Part]:
    """The sentences or lines of a document's blocks: everything in them that is no white space."""
    return [
        Part(start, end, number)
        for number, block in enumerate(document.blocks)
        for start, end in (lines if block.by_line else sentences)(document.text, block.start, block.end)
    ]


async def fitting(
    document: Document, units: Sequence[Unit], count_tokens: CountTokens, room: Callable[[Block], int]
) -> list[Unit]:
    """The units, those that are larger than the room in chunks of their block in parts."""
    fitted = list(units)
    while any(_is_too_long(unit, document, room) for unit in fitted):
        fitted = await _shortened(document, fitted, count_tokens, room)
    return fitted


def parts_of(text: str, unit: Unit, groups: int) -> list[Span]:
    """A unit in parts: the sentences of a line, or else words, or else groups of letters of the only word."""
    if unit.is_whole and len(spans := sentences(text, unit.start, unit.end)) > 1:
        return spans
    spans = words(text, unit.start, unit.end)
    if spans == [(unit.start, unit.end)]:
        return letter_groups(text, unit.start, unit.end, groups)
    return spans


async def _shortened(
    document: Document, units: Sequence[Unit], count_tokens: CountTokens, room: Callable[[Block], int]
) -> list[Unit]:
    """The same with each that is too long replaced by its parts."""
    spans = {
        unit: parts_of(document.text, unit, 1 + unit.cost // room(document.blocks[unit.block]))
        for unit in units
        if _is_too_long(unit, document, room)
    }
    parts = [Part(start, end, unit.block, is_whole=False) for unit in spans for start, end in spans[unit]]
    counts = await count_tokens([part.text(document) for part in parts])
    smaller = iter([part.unit(tokens) for part, tokens in zip(parts, counts, strict=True)])
    return [part for unit in units for part in ([next(smaller) for _ in spans[unit]] if unit in spans else [unit])]


def _is_too_long(unit: Unit, document: Document, room: Callable[[Block], int]) -> bool:
    return unit.cost > room(document.blocks[unit.block]) and unit.end - unit.start > 1
