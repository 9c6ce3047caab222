"""Tables that commands read: CSV as spreadsheets of all countries write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llamafarm.errors import UsageError

DELIMITERS = (",", ";", "\t")
"""What stands between cells; spreadsheets of some countries write semicolons."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table. line: where it ends in the file, counted from 1. cells: by the names of their columns."""

    line: int
    cells: Mapping[str, str]


def read_table_file(path: Path, columns: Sequence[str], *, hint: str | None = None) -> list[TableRow]:
    """The rows of a CSV file whose first line names the columns; empty lines are skipped. Source: RFC 4180.

    columns: those that must be there; the others are read too. hint: what helps where one is not.
    Raises UsageError for a file that is not such a table, and OSError.
    """
    content = _decoded(path)
    csv.field_size_limit(max(csv.field_size_limit(), len(content)))  # a text may be as long as the file
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=_delimiter(content, columns), strict=True)
    try:
        heads = [head.strip() for head in next(reader, [])]
        for column in columns:
            _check_column(heads, column, path, hint)
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _check_width(cells, heads, f"{path}, line {reader.line_num}")
                rows.append(TableRow(reader.line_num, dict(zip(heads, cells, strict=True))))
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


def _delimiter(content: str, columns: Sequence[str]) -> str:
    """The one that makes all columns of the first line."""
    head = content.partition("\n")[0]
    for delimiter in DELIMITERS:
        if {*columns} <= {*next(csv.reader([head], delimiter=delimiter), [])}:
            return delimiter
    return ","


def _check_column(heads: Sequence[str], name: str, path: Path, hint: str | None) -> None:
    if heads.count(name) != 1:
        what = f"two columns {name!r}" if name in heads else f"no column {name!r}"
        raise _wrong(f"{path} has {what}. Its columns: {', '.join(heads) or 'none'}.", hint)


def _check_width(cells: Sequence[str], heads: Sequence[str], place: str) -> None:
    if len(cells) != len(heads):
        raise _wrong(
            f"{place}: {len(cells)} cells, where the head has {len(heads)}.", "A text with a comma stands in quotes."
        )


def _wrong(message: str, hint: str | None = None) -> UsageError:
    return UsageError(message, hint=hint, status=400)
