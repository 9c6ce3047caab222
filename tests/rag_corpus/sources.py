"""The small part of Markdown in which the sources of DOCX and PDF documents are written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

PAGE_BREAK = "<!-- page -->"


@dataclass(frozen=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Item:
    """One line of a list, with its mark: a dash, or a number and a dot."""

    mark: str
    text: str


@dataclass(frozen=True)
class Table:
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PageBreak:
    """What follows begins on a new page."""


Block = Heading | Paragraph | Item | Table | PageBreak


def blocks(source: str) -> list[Block]:
    """The parts of a source, in order; empty lines part them. A list's item may go on in lines that are indented."""
    paragraphs = [
        list(lines) for is_text, lines in groupby(source.splitlines(), key=lambda line: bool(line.strip())) if is_text
    ]
    return [block for lines in paragraphs for block in _blocks_of(lines)]


def _blocks_of(lines: list[str]) -> list[Block]:
    first = lines[0]
    if lines == [PAGE_BREAK]:
        return [PageBreak()]
    if first.startswith("#"):
        marks, _, text = first.partition(" ")
        return [Heading(len(marks), text), *(_blocks_of(lines[1:]) if lines[1:] else [])]
    if first.startswith("|"):
        return [Table(tuple(_cells(line) for line in lines if set(line) - set("|- ")))]
    if _mark(first):
        return _items(lines)
    return [Paragraph(" ".join(line.strip() for line in lines))]


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def _mark(line: str) -> str:
    """The mark of a list's item at the beginning of a line, or nothing."""
    mark = line.partition(" ")[0]
    return mark if mark == "-" or (mark[:-1].isdigit() and mark.endswith(".")) else ""


def _items(lines: list[str]) -> list[Block]:
    items: list[Item] = []
    for line in lines:
        if mark := _mark(line):
            items.append(Item(mark, line[len(mark) :].strip()))
        else:
            items[-1] = Item(items[-1].mark, f"{items[-1].text} {line.strip()}")
    return [*items]
