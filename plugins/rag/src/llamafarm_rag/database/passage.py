"""What is kept of a chunk in a database, and what a search in it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool


@dataclass(frozen=True)
class Passage:
    """A chunk that is in a database.

    id: made from the file's content, how it was cut, and its number, so that doing a file again makes the same rows.
    file: its path as the user sees it. start, end: where it stands in the file's text, in characters. number: of the
    chunk in its file, from 0. page: counted from 1. heading: the headings above it. metadata: what the file says of
    itself.
    """

    id: str
    text: str
    file: str
    dataset: str
    number: int
    start: int
    end: int
    page: int | None = None
    heading: tuple[str, ...] = ()
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """A passage that a search has found. score: higher is better; what it measures depends on the search."""

    passage: Passage
    score: float
