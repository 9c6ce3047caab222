"""DOCX: paragraphs, lists and tables under their headings, and notes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from llamafarm_rag.documents.composer import Composer, Metadata
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.rows import names_of, row_text
from llamafarm_rag.documents.source import Source

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""A zip archive of some kilobytes can hold more than any memory."""
_ZIP_START = b"PK\x03\x04"
Element = Any
"""An element of XML, as lxml has it."""
_PARAGRAPH, _TABLE, _ROW, _CELL = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
_TEXT, _TAB, _BOX = qn("w:t"), qn("w:tab"), qn("w:txbxContent")
_BREAKS = frozenset({qn("w:br"), qn("w:cr")})
_LEFT_OUT = frozenset({
    qn("w:pPr"), qn("w:rPr"), qn("w:del"), qn("w:moveFrom"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
})  # fmt: skip
"""Looks, what was deleted, and what is there a second time for old programs."""
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_NOTES = re.compile(r"/word/(?:foot|end)notes\.xml")


def read(source: Source) -> Document:
    """The document of a DOCX file. What stands at the top and the bottom of every page is left out."""
    _check_archive(source)
    word = docx.Document(io.BytesIO(source.data))
    parts = _Parts(word)
    parts.add_all(word.element.body)
    for part in word.part.package.iter_parts():
        if _NOTES.fullmatch(str(part.partname)):
            parts.add_all(parse_xml(part.blob))
    properties = word.core_properties
    metadata: Metadata = {"author": properties.author} if properties.author else {}
    return parts.composer.document(properties.title or parts.title or parts.first_heading, metadata)


def _check_archive(source: Source) -> None:
    """Raises UnreadableFile for what is no archive, or unpacks to too much."""
    if not zipfile.is_zipfile(io.BytesIO(source.data)):
        is_other = source.signature and not source.data.startswith(_ZIP_START)
        what = f"is no DOCX: it is {source.signature}" if is_other else "is no DOCX that is whole"
        raise source.unreadable(what, "Save it as .docx, without a password.")
    with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
        names = {member.filename for member in archive.infolist()}
        unpacked = sum(member.file_size for member in archive.infolist())
    if "[Content_Types].xml" not in names:
        raise source.unreadable("is no DOCX: it is another zip archive")
    if unpacked > MAX_UNPACKED_BYTES:
        raise source.unreadable(f"unpacks to {unpacked:,} bytes, and {MAX_UNPACKED_BYTES:,} are the most")


class _Parts:
    """The blocks of a document. title: the first paragraph that has the style of a title. first_heading: of level 1."""

    def __init__(self, word: WordDocument) -> None:
        self.composer = Composer()
        self.title: str | None = None
        self.first_heading: str | None = None
        self._styles = {style.style_id: style.name or "" for style in word.styles}

    def add_all(self, root: Element) -> None:
        """Everything inside an element; frames, such as content controls, are looked into."""
        for element in _outermost(root, {_PARAGRAPH, _TABLE}):
            if element.tag == _TABLE:
                self._add_table(element)
            else:
                self._add_paragraph(element)

    def _add_paragraph(self, paragraph: Element) -> None:
        text = _text_of(paragraph)
        style = self._style(paragraph)
        level = _HEADING.match(style)
        if style.lower() == "title" and text.strip():
            self.title = self.title or text
            self.composer.add(text)
        elif level and text.strip():
            self.composer.begin_section(int(level[1]), text)
            if level[1] == "1":
                self.first_heading = self.first_heading or text
        elif style.lower().startswith("list") or paragraph.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None:
            self.composer.add(f"- {text}" if text.strip() else "", gap="\n")
        else:
            self.composer.add(text)
        for box in _outermost(paragraph, {_BOX}):
            self.add_all(box)

    def _add_table(self, table: Element) -> None:
        rows = [[_cell_text(cell) for cell in _outermost(row, {_CELL})] for row in _outermost(table, {_ROW})]
        rows = [row for row in rows if any(row)]
        names = names_of(rows)
        for number, row in enumerate(rows[1:] if names else rows):
            self.composer.add(row_text(names, row), gap="\n" if number else "\n\n")

    def _style(self, paragraph: Element) -> str:
        element = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        return self._styles.get(element.get(qn("w:val")), "") if element is not None else ""


def _outermost(root: Element, tags: set[str]) -> Iterator[Element]:
    """The elements of these kinds inside another, without those that lie in one of them."""
    pending = list(reversed(root))
    while pending:
        element = pending.pop()
        if element.tag in tags:
            yield element
        elif element.tag not in _LEFT_OUT:
            pending += reversed(element)


def _text_of(paragraph: Element) -> str:
    """The text of a paragraph, without that of boxes that hang on it."""
    parts, pending = [], list(reversed(paragraph))
    while pending:
        element = pending.pop()
        if element.tag == _TEXT:
            parts.append(element.text or "")
        elif element.tag == _TAB:
            parts.append("\t")
        elif element.tag in _BREAKS:
            parts.append("\n")
        elif element.tag not in _LEFT_OUT and element.tag != _BOX:
            pending += reversed(element)
    return "".join(parts)


def _cell_text(cell: Element) -> str:
    """All paragraphs of a cell, those of tables in it included."""
    return " ".join(filter(str.strip, (_text_of(paragraph) for paragraph in cell.iter(_PARAGRAPH))))
