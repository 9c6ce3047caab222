"""Findings and answers as tests want them."""

from __future__ import annotations

from typing import Any

from llamafarm_rag.evaluation.answers import Answer
from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.rows import QuestionRow
from llamafarm_rag.retrieval.result import Hit, Retrieval, Stage
from searched import passage


def row(files: str = "a.md", *, line: int = 2, question: str = "How?", answers: tuple[str, ...] = (), kind: str = ""):
    """A question. files: those that answer it, parted by blanks."""
    return QuestionRow(line, question, tuple(files.split()), answers, kind)


def hit(file: str, **places: int) -> Hit:
    return Hit(passage(f"What {file} says", file=file), 0.5, {"similarity": 0.5}, places)


def finding(
    found: str | list[Hit] = "",
    files: str = "a.md",
    *,
    strategy: str = "near",
    milliseconds: float = 8.0,
    stages: dict[str, float] | None = None,
    below: int = 0,
    notes: tuple[str, ...] = (),
    **of_row: Any,
) -> Finding:
    """What a strategy has found for a question. found: the files of the hits, parted by blanks, or the hits."""
    hits = [hit(file) for file in found.split()] if isinstance(found, str) else found
    timed = tuple(Stage(name, took, len(hits)) for name, took in (stages or {}).items())
    retrieval = Retrieval("barn", strategy, ("How?",), tuple(hits), below=below, stages=timed, notes=notes)
    return Finding(row(files, **of_row), strategy, retrieval, milliseconds)


def answer(files: str = "a.md", *, cited: str = "", words: tuple[str, ...] = (), **facts: Any) -> Answer:
    """An answer that cites sources of files."""
    return Answer(row(files, answers=words), cited=tuple(cited.split()), **facts)
