"""A piece of a document that is small enough to be embedded and to be quoted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """One piece of a document.

    text: what is shown, cited and searched for words: `document.text[start:end]`. start, end: in characters. page: of
    its beginning, counted from 1. heading: the headings above it, the outermost first.
    """

    text: str
    start: int
    end: int
    page: int | None = None
    heading: tuple[str, ...] = ()

    def embedded(self, title: str | None = None) -> str:
        """What is embedded: the text below its title and headings, which say what it is about."""
        above = " > ".join(filter(None, [title, *self.heading]))
        return f"{above}\n\n{self.text}" if above else self.text
