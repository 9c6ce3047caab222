"""HTML: what a reader of the page sees, under its headings."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag, XMLParsedAsHTMLWarning
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, PageElement, PreformattedString

from llamafarm_rag.documents.composer import Composer, Metadata, clean
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.rows import names_of, row_text
from llamafarm_rag.documents.source import Source

_NOISE = frozenset({
    "script", "style", "template", "noscript", "nav", "svg", "iframe", "object", "canvas", "button", "select", "head",
    "datalist", "dialog",
})  # fmt: skip
"""What is no part of what a page says."""
_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "input", "ins", "kbd", "label", "mark", "meter", "output", "progress", "q", "rp", "rt", "ruby", "s", "samp",
    "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
"""What goes on in the same paragraph."""
_CLOSE = {"li": "- ", "dd": ""}
"""What stands right below what is above it, and what it begins with."""
_WHITE_SPACE = re.compile(r"\s+")
_META_NAMES = frozenset({"author", "description", "keywords", "date"})


def read(source: Source) -> Document:
    """The document of a page. Its title is what its head says, else its first heading of level 1."""
    text = source.text(EncodingDetector.find_declared_encoding(source.data, is_html=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML is HTML enough
        page = BeautifulSoup(clean(text), "html.parser")
    composed = _Page()
    composed.walk(page.body or page)
    title = page.title.get_text() if page.title else None
    return composed.parts.document(title or _first_heading(page), _metadata(page))


class _Page:
    """The blocks of a page as it is walked through, without recursion: pages may be nested as deeply as they like.

    mark, gap: what the next paragraph begins with, and what is above it, where it begins an item of a list.
    """

    def __init__(self) -> None:
        self.parts = Composer()
        self._paragraph: list[str] = []
        self._preformatted = 0
        self._mark = ""
        self._gap = "\n\n"

    def walk(self, root: Tag) -> None:
        pending: list[tuple[Iterator[PageElement], Tag]] = [(root.children, root)]
        while pending:
            children, parent = pending[-1]
            child = next(children, None)
            if child is None:
                self._leave(parent)
                pending.pop()
            elif isinstance(child, Tag):
                if self._enter(child):
                    pending.append((child.children, child))
            elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
                self._paragraph.append(str(child) if self._preformatted else _WHITE_SPACE.sub(" ", child))
        self._end_paragraph()

    def _enter(self, tag: Tag) -> bool:
        """Whether what is inside the tag is to be looked at, too."""
        if tag.name in _NOISE or tag.get("role") == "navigation" or tag.has_attr("hidden"):
            return False
        if tag.name == "br":
            self._paragraph.append("\n")
            return False
        if tag.name == "img":
            self._paragraph.append(f" {tag.get('alt') or ''} ")
        elif tag.name not in _INLINE:
            self._end_paragraph()
            if tag.name == "table" and not tag.find("table"):
                self._add_table(tag)
                return False
            self._preformatted += tag.name == "pre"
            if tag.name in _CLOSE:
                self._mark, self._gap = _CLOSE[tag.name], "\n"
        return True

    def _leave(self, tag: Tag) -> None:
        if tag.name in _INLINE:
            return
        if _level(tag):
            name, self._paragraph = "".join(self._paragraph), []
            self.parts.begin_section(_level(tag), name)
        self._end_paragraph()
        self._preformatted -= tag.name == "pre"
        if tag.name in _CLOSE:
            self._mark, self._gap = "", "\n\n"

    def _end_paragraph(self) -> None:
        content, self._paragraph = "".join(self._paragraph), []
        if self._preformatted:
            self.parts.add(content.strip("\r\n"), by_line=True)
            return
        lines = (" ".join(line.split()) for line in content.split("\n"))
        text = "\n".join(filter(None, lines))
        if text:
            self.parts.add(self._mark + text, gap=self._gap)
            self._mark, self._gap = "", "\n\n"

    def _add_table(self, table: Tag) -> None:
        if table.caption:
            self.parts.add(table.caption.get_text(" ", strip=True))
        rows = [[_text(cell) for cell in row.find_all(["td", "th"])] for row in table.find_all("tr")]
        rows = [row for row in rows if any(row)]
        names = names_of(rows)
        for row in rows[1:] if names else rows:
            self.parts.add(row_text(names, row), gap="\n")


def _text(tag: Tag) -> str:
    return tag.get_text(" ", strip=True)


def _level(tag: Tag) -> int:
    """1 to 6 for a heading, else 0."""
    return int(tag.name[1]) if len(tag.name) == 2 and tag.name[0] == "h" and tag.name[1] in "123456" else 0


def _first_heading(page: BeautifulSoup) -> str | None:
    return _text(page.h1) if page.h1 else None


def _metadata(page: BeautifulSoup) -> Metadata:
    metadata: Metadata = {}
    for tag in page.find_all("meta"):
        name, content = str(tag.get("name") or "").lower(), str(tag.get("content") or "").strip()
        if name in _META_NAMES and content:
            metadata[name] = content
    language = page.html.get("lang") if page.html else None
    return {**metadata, "language": str(language)} if language else metadata
