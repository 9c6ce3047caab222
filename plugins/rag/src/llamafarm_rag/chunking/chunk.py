"""A piece of a document that is small enough to be embedded and to be quoted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """One piece of a document.

    text: what is shown, cited and searched for words: `document.text[start:end]`. start, end: in characters. page:
    where most of it stands, counted from 1. heading: the headings above it, the outermost first. context: the
    document's title and these headings on one line, or as much of them as leaves room for the text.
    """

    text: str
    start: int
    end: int
    page: int | None = None
    heading: tuple[str, ...] = ()
    context: str = ""

    @property
    def embedded(self) -> str:
        """What is embedded: the text below its context, which says what it is about."""
        return embedded_text(self.context, self.text)


def embedded_text(context: str, text: str) -> str:
    """A text below its context."""
    return f"{context}\n\n{text}" if context else text
