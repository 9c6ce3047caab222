"""Text: a paragraph is a block."""

from __future__ import annotations

from llamafarm_rag.documents.composer import clean
from llamafarm_rag.documents.document import Block, Document
from llamafarm_rag.documents.lines import paragraphs
from llamafarm_rag.documents.source import Source


def read(source: Source) -> Document:
    """The document of a text file; lines of a log stand for themselves."""
    text = clean(source.text())
    by_line = source.path.suffix.lower() == ".log"
    return Document(text, tuple(Block(start, end, by_line=by_line) for start, end in paragraphs(text)))
