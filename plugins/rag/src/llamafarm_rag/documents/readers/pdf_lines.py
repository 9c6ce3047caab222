"""Lines of a PDF, which of them are headings, and where paragraphs begin: by their sizes and places on the page.

A PDF says where letters stand, and nothing of what they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from pypdf import PageObject

_HEADING_SIZE = 1.12
"""Letters that are larger than those of the text by this factor are those of headings."""
_MAX_HEADING_LENGTH = 120
_MAX_HEADING_SHARE = 0.3
"""Where more of the text than that is large, size says nothing."""
_PARAGRAPH_GAP = 1.25
"""Lines that stand apart by so much more than most do not belong together."""
_LEADER = re.compile(r"(?:\. ?){4}")
"""The dots of a table of contents."""


@dataclass(frozen=True)
class Line:
    """A line of a page. size: of most of its letters. height: where it stands, upwards; None where that is unknown."""

    text: str
    page: int
    size: float
    height: float | None


@dataclass(frozen=True)
class Part:
    """A paragraph of a page, or a heading of this level, 1 being the highest."""

    text: str
    page: int
    level: int | None


def lines_of(page: PageObject, number: int) -> list[Line]:
    """The lines of a page, in the order in which its text reads."""
    lines: list[_GrowingLine] = [_GrowingLine()]

    def visit(text: str, transform: list[float], place: list[float], _font: Any, size: float) -> None:
        first, *others = text.split("\n")
        lines[-1].add(first, size * abs(place[3] * transform[3]), place[5] * transform[3] + transform[5])
        for other in others:
            lines.append(_GrowingLine())
            lines[-1].add(other, size * abs(place[3] * transform[3]), None)

    page.extract_text(visitor_text=visit)
    return [line.line(number) for line in lines if line.text.strip()]


def parts_of(lines: Sequence[Line]) -> Iterator[Part]:
    """The headings and paragraphs of all lines of a document."""
    levels = _levels(lines)
    leading = _most_common(
        first.height - second.height
        for first, second in pairwise(lines)
        if first.page == second.page and first.height and second.height and first.height > second.height
    )
    for (page, level), together in groupby(lines, lambda line: (line.page, _level(line, levels))):
        if level is not None:
            yield Part(" ".join(line.text.strip() for line in together), page, level)
        else:
            yield from (Part(text, page, None) for text in _paragraphs(together, leading))


def _paragraphs(lines: Iterable[Line], leading: float) -> Iterator[str]:
    before: list[Line] = []
    for line in lines:
        if before and _is_apart(before[-1], line, leading):
            yield "\n".join(line.text for line in before)
            before = []
        before.append(line)
    yield "\n".join(line.text for line in before)


def _is_apart(first: Line, second: Line, leading: float) -> bool:
    return bool(first.height and second.height and first.height - second.height > leading * _PARAGRAPH_GAP)


def _levels(lines: Sequence[Line]) -> dict[float, int]:
    """The level of the headings of each size that is one of headings."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[line.size] += len(line.text)
    if not letters:
        return {}
    usual = letters.most_common(1)[0][0]
    large = sorted((size for size in letters if size >= usual * _HEADING_SIZE), reverse=True)
    if sum(letters[size] for size in large) > letters.total() * _MAX_HEADING_SHARE:
        return {}
    return {size: level for level, size in enumerate(large, start=1)}


def _level(line: Line, levels: dict[float, int]) -> int | None:
    is_short = len(line.text) <= _MAX_HEADING_LENGTH and not _LEADER.search(line.text)
    return levels.get(line.size) if is_short and any(letter.isalpha() for letter in line.text) else None


def _most_common(values: Iterable[float]) -> float:
    """In half points; infinity where there is nothing."""
    counted = Counter(round(value * 2) / 2 for value in values)
    return counted.most_common(1)[0][0] if counted else float("inf")


class _GrowingLine:
    """A line that is put together of pieces."""

    def __init__(self) -> None:
        self.text = ""
        self._sizes: Counter[float] = Counter()
        self._height: float | None = None

    def add(self, text: str, size: float, height: float | None) -> None:
        self.text += text
        if letters := len(text.strip()):
            self._sizes[round(size * 2) / 2] += letters
            self._height = height if self._height is None else self._height

    def line(self, page: int) -> Line:
        return Line(self.text.rstrip(), page, self._sizes.most_common(1)[0][0], self._height)
