"""Lines and paragraphs of texts, by their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_LINE_BREAK = re.compile(r"\r\n?|\n")
_PARAGRAPH_BREAK = re.compile(r"(?:\r\n?|\n)(?:[^\S\r\n]*+(?:\r\n?|\n))+")
_EMPTY_LINES = re.compile(r"(?:[^\S\r\n]*+(?:\r\n?|\n))+")


def line_starts(text: str) -> list[int]:
    """Where each line of a text begins, and its end."""
    return [0, *(match.end() for match in _LINE_BREAK.finditer(text)), len(text)]


def paragraphs(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """The parts of a text between empty lines, with the indentation of their first line."""
    last = len(text) if end is None else end
    leading = _EMPTY_LINES.match(text, start, last)
    cuts = [
        leading.end() if leading else start,
        *(match.end() for match in _PARAGRAPH_BREAK.finditer(text, start, last)),
        last,
    ]
    for first, following in pairwise(cuts):
        if content := text[first:following].rstrip():
            yield first, first + len(content)
