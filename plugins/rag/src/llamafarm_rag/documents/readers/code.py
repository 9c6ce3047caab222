"""Code: Python by its functions and classes, other languages by what stands between empty lines."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence

from llamafarm_rag.documents.composer import Metadata, clean
from llamafarm_rag.documents.document import Block, Document
from llamafarm_rag.documents.kinds import LANGUAGES
from llamafarm_rag.documents.lines import line_starts, paragraphs
from llamafarm_rag.documents.source import Source

Heading = tuple[str, ...]
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def read(source: Source) -> Document:
    """The document of a file of code; its language is in the metadata."""
    text = clean(source.text())
    language = LANGUAGES.get(source.path.suffix.lower())
    blocks = (_python(text) if language == "python" else None) or _by_empty_lines(text, 0, len(text), ())
    metadata: Metadata = {"language": language} if language else {}
    return Document(text, tuple(blocks), metadata=metadata)


def _python(text: str) -> list[Block] | None:
    """The blocks of a module, or None where it is no Python that this one knows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings, say
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    starts = line_starts(text)
    return list(_of_body(text, starts, module.body, 0, len(text), ()))


def _of_body(
    text: str, starts: Sequence[int], body: Sequence[ast.stmt], start: int, end: int, heading: Heading
) -> Iterator[Block]:
    """The blocks of a part of a module: each definition with the comments above it, and what is between them."""
    definitions = [statement for statement in body if isinstance(statement, _Definition)]
    at = start
    for definition in definitions:
        first = _begin(text, starts, definition, at)
        last = starts[definition.end_lineno or definition.lineno]
        yield from _by_empty_lines(text, at, first, heading)
        yield from _of_definition(text, starts, definition, first, last, heading)
        at = max(at, last)
    yield from _by_empty_lines(text, at, end, heading)


def _of_definition(
    text: str, starts: Sequence[int], definition: _Definition, start: int, end: int, heading: Heading
) -> Iterator[Block]:
    name = f"{'class' if isinstance(definition, ast.ClassDef) else 'def'} {definition.name}"
    below = (*heading, name)
    if isinstance(definition, ast.ClassDef):
        yield from _of_body(text, starts, definition.body, start, end, below)
    elif content := text[start:end].rstrip():
        yield Block(start, start + len(content), heading=below, by_line=True)


def _begin(text: str, starts: Sequence[int], definition: _Definition, least: int) -> int:
    """Where a definition begins, with its decorators and the comments right above it."""
    line = min([definition.lineno, *(decorator.lineno for decorator in definition.decorator_list)]) - 1
    while line > 0 and starts[line - 1] >= least and text[starts[line - 1] : starts[line]].lstrip().startswith("#"):
        line -= 1
    return max(least, starts[line])


def _by_empty_lines(text: str, start: int, end: int, heading: Heading) -> list[Block]:
    return [Block(first, last, heading=heading, by_line=True) for first, last in paragraphs(text, start, end)]
