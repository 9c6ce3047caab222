"""Questions whose answers are known, read from a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from llamafarm.cli import TableRow, read_table_file


@dataclass(frozen=True)
class QuestionRow:
    """A question of the table.

    line: where it ends in the file, counted from 1. files: those that answer it, each by itself; without any, nothing
    does. answers: the words of an answer, in other ways of saying it. kind: what kind of question it is.
    """

    line: int
    question: str
    files: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    kind: str = ""

    @property
    def is_answerable(self) -> bool:
        """Whether any file answers it."""
        return bool(self.files)


def read_questions(path: Path) -> list[QuestionRow]:
    """The rows of a CSV file with the columns `question` and `files`, and where it has them `answer` and `kind`.

    Raises UsageError for another table, and OSError.
    """
    hint = "`files` has the names of those that answer the question, parted by `;`, and is empty where none does."
    return [_row(row) for row in read_table_file(path, ["question", "files"], hint=hint)]


def absent_files(rows: Iterable[QuestionRow], there: Collection[str]) -> list[tuple[QuestionRow, list[str]]]:
    """The rows that name files which are not in the database, with these: no search can find them."""
    lacking = [(row, [file for file in row.files if file not in there]) for row in rows]
    return [(row, files) for row, files in lacking if files]


def _row(row: TableRow) -> QuestionRow:
    cells = row.cells
    return QuestionRow(
        row.line,
        cells["question"].strip(),
        _parts(cells["files"], ";"),
        _parts(cells.get("answer", ""), "/"),
        cells.get("kind", "").strip(),
    )


def _parts(cell: str, separator: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in cell.split(separator) if part.strip()))
