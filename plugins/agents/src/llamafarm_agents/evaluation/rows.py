"""Texts and their classes, read from a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llamafarm.errors import UsageError

DELIMITERS = (",", ";", "\t")
"""What stands between cells; spreadsheets of some countries write semicolons."""


@dataclass(frozen=True)
class Row:
    """A text and its class. line: where it ends in the file, counted from 1."""

    line: int
    text: str
    label: str


def read_rows(path: Path, text: str, label: str) -> list[Row]:
    """The rows of a CSV file whose first line names the columns; empty lines are skipped. Source: RFC 4180.

    text, label: the names of the columns. Raises UsageError for a file that is not such a table, and OSError.
    """
    content = _decoded(path)
    csv.field_size_limit(max(csv.field_size_limit(), len(content)))  # a text may be as long as the file
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=_delimiter(content, text, label), strict=True)
    try:
        heads = next(reader, [])
        at_text, at_label = (_column(heads, name, path) for name in (text, label))
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _check_width(cells, heads, f"{path}, line {reader.line_num}")
                rows.append(Row(reader.line_num, cells[at_text], cells[at_label].strip()))
    except csv.Error as error:
        raise _wrong(f"{path}, line {reader.line_num}: {error}.") from None
    if not rows:
        raise _wrong(f"{path} has no rows below its head.")
    return rows


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(f"{path} is not UTF-8: byte {error.start + 1} cannot be read.", "Save it as UTF-8.") from None


def _delimiter(content: str, text: str, label: str) -> str:
    """The one that makes both columns of the first line."""
    head = content.partition("\n")[0]
    for delimiter in DELIMITERS:
        if {text, label} <= {*next(csv.reader([head], delimiter=delimiter), [])}:
            return delimiter
    return ","


def _column(heads: Sequence[str], name: str, path: Path) -> int:
    names = [head.strip() for head in heads]
    if names.count(name) == 1:
        return names.index(name)
    what = f"two columns {name!r}" if name in names else f"no column {name!r}"
    raise _wrong(f"{path} has {what}. Its columns: {', '.join(names) or 'none'}.", "--text and --label name others.")


def _check_width(cells: Sequence[str], heads: Sequence[str], place: str) -> None:
    if len(cells) != len(heads):
        raise _wrong(
            f"{place}: {len(cells)} cells, where the head has {len(heads)}.", "A text with a comma stands in quotes."
        )


def _wrong(message: str, hint: str | None = None) -> UsageError:
    return UsageError(message, hint=hint, status=400)
