"""A document put together of parts, for formats whose files are no text themselves."""

from __future__ import annotations

import re

from llamafarm_rag.documents.document import Block, Document

Metadata = dict[str, str | int | float | bool]
_NO_CHARACTER = re.compile("[\ud800-\udfff\0]")
"""What cannot be written as UTF-8, or ends a text in databases."""


class Composer:
    """Text and blocks as they grow. heading: the headings above what comes next."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0
        self._headings: list[tuple[int, str]] = []

    @property
    def heading(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._headings)

    def add(self, text: str, *, page: int | None = None, by_line: bool = False, gap: str = "\n\n") -> None:
        """One more block, `gap` behind the last one; what is only white space is none."""
        text = clean(text).rstrip()
        if not text.strip():
            return
        before = gap if self._blocks else ""
        start = self._length + len(before)
        self._parts += [before, text]
        self._length = start + len(text)
        self._blocks.append(Block(start, self._length, page, self.heading, by_line))

    def begin_section(self, level: int, name: str, *, page: int | None = None) -> None:
        """What comes next stands under this heading; 1 is the highest level. The heading is a block, too."""
        name = " ".join(clean(name).split())
        if not name:
            return
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, name))
        self.add(name, page=page)

    def document(self, title: str | None = None, metadata: Metadata | None = None) -> Document:
        """The document of all that was added."""
        title = " ".join(clean(title or "").split()) or None
        return Document("".join(self._parts), tuple(self._blocks), title, metadata or {})


def clean(text: str) -> str:
    """A text of characters only; what is none is U+FFFD."""
    return _NO_CHARACTER.sub("\ufffd", text)
