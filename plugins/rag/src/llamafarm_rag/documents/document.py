"""What a file says, and where in it: what readers make, and chunks are cut from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Block:
    """A part of a document that belongs together: a paragraph, a table row, a function.

    start, end: its place in `Document.text`, in characters. page: counted from 1, where the format has pages. heading:
    the headings above it, the outermost first. by_line: whether each of its lines stands for itself, as those of code,
    lists and logs do; else a line may end in the middle of a sentence.
    """

    start: int
    end: int
    page: int | None = None
    heading: tuple[str, ...] = ()
    by_line: bool = False


@dataclass(frozen=True)
class Document:
    """A file that was read.

    text: all of it; for files that are text, their characters as they stand, so that places in it are places in the
    file. blocks: in their order, none overlapping another. title: what the file calls itself, else its name in words.
    metadata: what it says of itself (author, language, columns), to be filtered by.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    metadata: Mapping[str, str | int | float | bool] = field(default_factory=dict)
