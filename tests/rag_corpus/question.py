"""The questions on the corpus, as they stand in `questions/`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

QUESTIONS = Path(__file__).with_name("questions")


@dataclass(frozen=True)
class Question:
    """A question and what answers it. Each of `files` answers it alone; without files, nothing does."""

    id: str
    text: str
    files: tuple[str, ...]
    answers: tuple[str, ...]
    """The answer as the words of one file; another file may have it in other words."""
    kind: str


def read_questions(name: str) -> list[Question]:
    """The questions of `questions/{name}.csv`: `develop`, `unanswerable`, `attacks`, or, once, at the end, `locked`."""
    with (QUESTIONS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [_question(row) for row in csv.DictReader(file)]


def _question(row: dict[str, str]) -> Question:
    files = tuple(row["files"].split(";")) if row["files"] else ()
    answers = tuple(row["answer"].split("/")) if row["answer"] else ()
    return Question(row["id"], row["question"], files, answers, row["kind"])
