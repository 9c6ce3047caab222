"""Texts and their classes, read from a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llamafarm.cli import read_table_file


@dataclass(frozen=True)
class Row:
    """A text and its class. line: where it ends in the file, counted from 1."""

    line: int
    text: str
    label: str


def read_rows(path: Path, text: str, label: str) -> list[Row]:
    """The rows of a CSV file. text, label: the names of the columns. Raises UsageError and OSError."""
    rows = read_table_file(path, [text, label], hint="--text and --label name others.")
    return [Row(row.line, row.cells[text], row.cells[label].strip()) for row in rows]
