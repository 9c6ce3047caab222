"""What came out, for programs: every figure, and every row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from llamafarm_rag.evaluation.answer_measuring import Part
from llamafarm_rag.evaluation.answers import Answer
from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.keywords import has_key_words
from llamafarm_rag.evaluation.outcome import Outcome


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All of it as JSON values. `complete`: whether all rows were asked."""
    told: dict[str, Any] = {
        "database": outcome.database,
        "questions": [asdict(row) for row in outcome.rows],
        "complete": outcome.is_whole,
        "absent": [{"line": row.line, "files": files} for row, files in outcome.absent],
        "strategies": [asdict(figures) for figures in outcome.strategies()],
        "findings": [_finding(finding) for finding in outcome.findings],
    }
    if outcome.answers:
        figures = [{name: _value(value) for name, value in vars(each).items()} for each in outcome.answer_figures()]
        told |= {"answering": figures, "answers": [_answer(answer) for answer in outcome.answers]}
    return told


def _value(value: object) -> object:
    return {**asdict(value), "share": value.share} if isinstance(value, Part) else value


def _finding(finding: Finding) -> dict[str, Any]:
    told: dict[str, Any] = {"line": finding.row.line, "strategy": finding.strategy}
    if finding.retrieval is None:
        return {**told, "error": finding.error}
    found = finding.retrieval
    return {
        **told,
        "rank": finding.rank,
        "milliseconds": finding.milliseconds,
        "stages": {stage.name: stage.milliseconds for stage in found.stages},
        "below": found.below,
        "notes": found.notes,
        "hits": [
            {
                "file": hit.passage.file,
                "number": hit.passage.number,
                "page": hit.passage.page,
                "heading": hit.passage.heading,
                "score": hit.score,
                "scores": hit.scores,
                "places": hit.places,
            }
            for hit in found.hits
        ],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"line": answer.row.line, "strategy": answer.strategy}
    if answer.error:
        return {**told, "error": answer.error}
    facts = {name: value for name, value in vars(answer).items() if name not in ("row", "strategy", "error")}
    words = has_key_words(answer.text, answer.row.answers) if answer.row.answers else None
    return {**told, **facts, "right": answer.right, "key_words": words}
