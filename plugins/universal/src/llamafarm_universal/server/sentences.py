"""A text cut into what is spoken at one go."""

from __future__ import annotations

import re

LONGEST = 250
"""Characters: so that the first sound comes soon, and no step of the model takes long."""
_END = re.compile(r"(?<=[.!?…:;])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")
_PAUSE = re.compile(r"(?<=[,、，])\s*|\s+[–—-]\s+")


def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a text; a long one is cut at its commas, and where it has none, between words."""
    parts = [part.strip() for part in _END.split(text) if part and part.strip()]
    return tuple(piece for part in parts for piece in _pieces(part))


def _pieces(sentence: str) -> list[str]:
    if len(sentence) <= LONGEST:
        return [sentence]
    clauses = [clause.strip() for clause in _PAUSE.split(sentence) if clause and clause.strip()]
    return [piece for clause in clauses for piece in _by_words(clause)]


def _by_words(clause: str) -> list[str]:
    pieces: list[str] = []
    while len(clause) > LONGEST:
        cut = clause.rfind(" ", 1, LONGEST + 1)
        cut = cut if cut > 0 else LONGEST
        pieces.append(clause[:cut].strip())
        clause = clause[cut:].strip()
    return [*pieces, clause] if clause else pieces
