"""A text that is longer than the embedder reads, as parts that it reads whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llamafarm_rag.embedding.base import Embedder
from llamafarm_rag.retrieval.journal import Journal

SHORT = 128
"""Bytes; no embedder reads less, and no tokenizer makes more tokens than bytes."""
MOST_PARTS = 8
_SENTENCE = re.compile(r"[^.!?\n。！？]+[.!?\n。！？]*\s*|[.!?\n。！？]+\s*")


async def parts_of(text: str, embedder: Embedder, journal: Journal) -> list[str]:
    """The text, or, where it is too long to be embedded whole, its parts, each of whole sentences where they fit.

    A text of more than `MOST_PARTS` parts is searched for by its first and its last ones, for a long message says what
    it is about at its beginning and asks at its end. Both are noted. Raises ProviderError.
    """
    size = len(text.encode())
    room = None if size <= SHORT else await embedder.longest()
    if room is None or size <= room:
        return [text]
    [count] = await embedder.count_tokens([text])
    if count <= room:
        return [text]
    parts = list(_packed(*await _pieces(text, room, embedder), room))
    journal.note(f"The question has {count} tokens, the embedder reads {room}: its parts are searched for.")
    if len(parts) > MOST_PARTS:
        journal.note(f"Of its {len(parts)} parts the first and last {MOST_PARTS // 2} are searched for.")
        parts = [*parts[: MOST_PARTS // 2], *parts[-MOST_PARTS // 2 :]]
    return parts


async def _pieces(text: str, room: int, embedder: Embedder) -> tuple[list[str], list[int]]:
    """Sentences and their tokens; a sentence that is too long itself is halved until its pieces fit."""
    pieces = _SENTENCE.findall(text)
    while True:
        counts = await embedder.count_tokens(pieces)
        if all(count <= room or len(piece) < 2 for piece, count in zip(pieces, counts, strict=True)):
            return pieces, counts
        pieces = [
            half
            for piece, count in zip(pieces, counts, strict=True)
            for half in (_halves(piece) if count > room and len(piece) > 1 else (piece,))
        ]


def _halves(text: str) -> tuple[str, str]:
    """Cut at the blank nearest to the middle, or in the middle."""
    middle = len(text) // 2
    blank = text.rfind(" ", 1, middle + 1)
    at = blank if blank > 0 else middle
    return text[:at], text[at:]


def _packed(pieces: Sequence[str], counts: Sequence[int], room: int) -> Iterator[str]:
    """Neighbouring pieces together, as many as fit."""
    part, size = "", 0
    for piece, count in zip(pieces, counts, strict=True):
        if part and size + count > room:
            yield part.strip()
            part, size = "", 0
        part, size = part + piece, size + count
    if part.strip():
        yield part.strip()
