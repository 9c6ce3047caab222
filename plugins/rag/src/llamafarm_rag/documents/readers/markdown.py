"""Markdown: its blocks under their headings, at their places in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from llamafarm_rag.documents.composer import Metadata, clean
from llamafarm_rag.documents.document import Block, Document
from llamafarm_rag.documents.lines import line_starts, paragraphs
from llamafarm_rag.documents.source import Source

_FRONT_MATTER = re.compile(r"---[^\S\r\n]*\r?\n(.*?)^---[^\S\r\n]*\r?$", re.DOTALL | re.MULTILINE)
_BY_LINE = frozenset({"fence", "code_block", "table_open", "html_block"})
_MAX_TABLE_LINES = 12
"""Of a longer table, the other rows stand under the names of the columns, so that they are understood alone."""
_PARSER = MarkdownIt("commonmark").enable("table").disable("inline")
"""Finds blocks only: what is marked within them costs most of the time, and is of interest in headings alone."""
_INLINE_PARSER = MarkdownIt("commonmark")


@dataclass(frozen=True)
class _Part:
    """Lines of the file that belong together, from `first` to before `last`."""

    first: int
    last: int
    heading: tuple[str, ...]
    by_line: bool = False


def read(source: Source) -> Document:
    """The document of a Markdown file. Its title is that of its front matter, else its first heading of level 1."""
    text = clean(source.text())
    front = _FRONT_MATTER.match(text)
    body = front.end() if front else 0
    blocks = [Block(front.start(), front.end(), by_line=True)] if front else []
    tokens = _PARSER.parse(text[body:])
    starts = [body + start for start in line_starts(text[body:])]
    at = body
    for part in _parts(tokens):
        start, end = starts[part.first], starts[min(part.last, len(starts) - 1)]
        blocks += _between(text, at, start, blocks[-1].heading if blocks else ())
        if content := text[start:end].rstrip():
            blocks.append(Block(start, start + len(content), heading=part.heading, by_line=part.by_line))
        at = max(at, end)
    blocks += _between(text, at, len(text), blocks[-1].heading if blocks else ())
    metadata = _metadata(front.group(1)) if front else {}
    title = metadata.pop("title", None)
    return Document(text, tuple(blocks), str(title) if title else _first_heading(tokens), metadata)


def _parts(tokens: Sequence[Token]) -> Iterator[_Part]:
    """The blocks of the highest level, each with the headings above it; a heading stands under itself."""
    headings: list[tuple[int, str]] = []
    for number, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        if token.type == "heading_open":
            level = int(token.tag[1:])
            headings = [above for above in headings if above[0] < level]
            if name := _text_of(tokens[number + 1]):
                headings.append((level, name))
        first, last = token.map
        heading = tuple(name for _, name in headings)
        if token.type == "table_open" and last - first > _MAX_TABLE_LINES:
            yield _Part(first, first + _MAX_TABLE_LINES, heading, by_line=True)
            yield _Part(first + _MAX_TABLE_LINES, last, (*heading, _columns(tokens[number:])), by_line=True)
        else:
            yield _Part(first, last, heading, token.type in _BY_LINE)


def _columns(table: Sequence[Token]) -> str:
    """The first row of a table."""
    cells = takewhile(lambda token: token.type != "tr_close", table)
    return " | ".join(_text_of(token) for token in cells if token.type == "inline")


def _between(text: str, start: int, end: int, heading: tuple[str, ...]) -> list[Block]:
    """What is no block of Markdown, such as definitions of links."""
    return [Block(first, last, heading=heading) for first, last in paragraphs(text, start, end)]


def _text_of(inline: Token) -> str:
    """The text of a heading or a cell, without its markup."""
    [parsed] = _INLINE_PARSER.parseInline(inline.content)
    return " ".join("".join(child.content for child in parsed.children or [] if not child.nesting).split())


def _first_heading(tokens: Sequence[Token]) -> str | None:
    for number, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h1" and not token.level:
            return _text_of(tokens[number + 1]) or None
    return None


def _metadata(front: str) -> Metadata:
    """The plain values of the front matter; one that is no YAML says nothing."""
    try:
        values = yaml.safe_load(front)
    except (yaml.YAMLError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    plain = {str(key): _plain_value(value) for key, value in values.items()}
    return {key: value for key, value in plain.items() if value is not None}


def _plain_value(value: object) -> str | int | float | bool | None:
    """A value that can be filtered by: a list of such is one text, a date is as it is written."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        parts = [_plain_value(part) for part in value]
        return None if None in parts else ", ".join(map(str, parts))
    return value if isinstance(value, str | int | float | bool) else None
