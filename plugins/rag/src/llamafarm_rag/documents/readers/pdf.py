"""PDF: the text of its pages."""

from __future__ import annotations

import io
import re

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from llamafarm_rag.documents.composer import Composer, Metadata
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.lines import paragraphs
from llamafarm_rag.documents.source import Source

_HYPHEN_AT_LINE_END = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[^\W\d_])")
_FILE_NAME = re.compile(r"^(?:untitled|microsoft word - .*|.*\.\w{2,5})$", re.IGNORECASE)
"""Titles that programs have made up."""
_OCR_HINT = "Have a program recognise its text first, such as `ocrmypdf IN.pdf OUT.pdf`."


def read(source: Source) -> Document:
    """The document of a PDF. Pages without text are counted in its metadata."""
    if b"%PDF-" not in source.data[:1024]:
        raise source.unreadable(f"is no PDF{f': it is {source.signature}' if source.signature else ''}")
    reader = PdfReader(io.BytesIO(source.data))
    _unlock(reader, source)
    parts, empty = Composer(), 0
    for number, page in enumerate(reader.pages, start=1):
        text = _joined(page.extract_text())
        empty += not text.strip()
        for start, end in paragraphs(text):
            parts.add(text[start:end], page=number)
    if parts.is_empty:
        raise source.unreadable(f"has {len(reader.pages)} pages and no text: they are pictures", _OCR_HINT)
    return parts.document(_title(reader), _metadata(reader, empty))


def _unlock(reader: PdfReader, source: Source) -> None:
    """Open a file that everybody may read. Raises UnreadableFile for one that asks for a password."""
    if not reader.is_encrypted:
        return
    try:
        is_open = reader.decrypt("")
    except DependencyError as error:
        raise source.unreadable(f"is encrypted: {error}", "`pip install cryptography` and try again.") from None
    if not is_open:
        raise source.unreadable("is encrypted, and opens with a password only", "Save a copy of it without one.")


def _joined(text: str) -> str:
    """A text with words that line ends have cut made whole."""
    return _HYPHEN_AT_LINE_END.sub("", text.replace("\r\n", "\n"))


def _title(reader: PdfReader) -> str | None:
    title = _said(reader, "title")
    return None if title is None or _FILE_NAME.match(title) else title


def _metadata(reader: PdfReader, empty: int) -> Metadata:
    metadata: Metadata = {"pages": len(reader.pages)}
    if empty:
        metadata["pages_without_text"] = empty
    if author := _said(reader, "author"):
        metadata["author"] = author
    return metadata


def _said(reader: PdfReader, field: str) -> str | None:
    """What the file says of itself; one whose information is broken says nothing."""
    try:
        value = getattr(reader.metadata, field, None)
    except (PyPdfError, ValueError, TypeError, AttributeError, KeyError):
        return None
    return value.strip() or None if isinstance(value, str) else None
