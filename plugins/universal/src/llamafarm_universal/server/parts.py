"""What an answer's text is made of, once it has been looked through."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Reasoning:
    """What the model thought before it answered."""

    text: str


@dataclass(frozen=True)
class Call:
    """A whole tool call. arguments: a JSON text."""

    name: str
    arguments: str


Part = Text | Reasoning | Call


def held_back(text: str, mark: str) -> int:
    """Return how many of the last characters of `text` could be the beginning of `mark`."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:length]):
            return length
    return 0
