"""PDF: the text of its pages, under its headings."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from llamafarm_rag.documents.composer import Composer, Metadata
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.readers.pdf_lines import Part, lines_of, parts_of
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
    pages = [lines_of(page, number) for number, page in enumerate(reader.pages, start=1)]
    if not pages:
        raise source.unreadable("has no pages")
    if not any(pages):
        raise source.unreadable(f"has {len(pages)} pages and no text: they are pictures", _OCR_HINT)
    composer = Composer()
    parts = list(parts_of([line for lines in pages for line in lines]))
    for part in parts:
        if part.level is None:
            composer.add(_joined(part.text), page=part.page)
        else:
            composer.begin_section(part.level, part.text, page=part.page)
    return composer.document(_title(reader, parts), _metadata(reader, sum(not lines for lines in pages)))


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
    return _HYPHEN_AT_LINE_END.sub("", text)


def _title(reader: PdfReader, parts: Sequence[Part]) -> str | None:
    """What the file calls itself, else what stands in the largest letters on its first page."""
    title = _said(reader, "title")
    if title and not _FILE_NAME.match(title):
        return title
    return next((part.text for part in parts if part.level == 1 and part.page == 1), None)


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
