"""CSV and TSV: each row a block, with the names of its columns."""

from __future__ import annotations

import csv
import io
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from llamafarm_rag.documents.composer import Composer, Metadata
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.rows import names_of, row_text
from llamafarm_rag.documents.source import Source

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 50
"""Rows from which the delimiter is told."""
_limit = threading.Lock()


def read(source: Source) -> Document:
    """The document of a table. Its first line names the columns, where it can be that."""
    text = source.text()
    delimiter = "\t" if source.path.suffix.lower() == ".tsv" else _delimiter(text)
    rows = [row for row in _rows(text, delimiter) if any(cell.strip() for cell in row)]
    names = names_of(rows)
    body = rows[1:] if names else rows
    parts = Composer()
    for row in body:
        parts.add(row_text(names, row), gap="\n")
    metadata: Metadata = {"rows": len(body)}
    if names:
        metadata["columns"] = ", ".join(names)
    return parts.document(metadata=metadata)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    with _limit:  # a cell may be as long as the file
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _delimiter(text: str) -> str:
    """The one that cuts most rows into the same number of cells, of several those that cut into most."""
    return max(_DELIMITERS, key=lambda delimiter: _evenness(list(islice(_rows(text, delimiter), _LOOKED_AT))))


def _evenness(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    widths = Counter(len(row) for row in rows if row)
    if not widths:
        return 0, 0
    width, times = widths.most_common(1)[0]
    return (times / widths.total(), width) if width > 1 else (0, 1)
