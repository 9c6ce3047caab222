"""All that an evaluation has brought so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from llamafarm_rag.evaluation.answer_measuring import AnswerFigures, measure_answers
from llamafarm_rag.evaluation.answers import Answer
from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.measuring import StrategyFigures, measure
from llamafarm_rag.evaluation.rows import QuestionRow


@dataclass
class Outcome:
    """What is known of each row.

    counts: the k of recall@k, in order. database: its name. absent: rows that name files which are not in it.
    findings, answers: as they came. is_whole: whether all rows were asked.
    """

    rows: Sequence[QuestionRow]
    counts: Sequence[int]
    database: str = ""
    absent: Sequence[tuple[QuestionRow, list[str]]] = ()
    findings: list[Finding] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    is_whole: bool = False

    @property
    def failures(self) -> list[tuple[int, str]]:
        """The lines of rows that have failed, each with why."""
        found = [(finding.row.line, finding.error) for finding in self.findings if finding.error]
        return found + [(answer.row.line, answer.error) for answer in self.answers if answer.error]

    def strategies(self) -> list[StrategyFigures]:
        """The figures of each strategy, in the order in which they were asked."""
        names = dict.fromkeys(finding.strategy for finding in self.findings)
        return [measure(name, self.findings, self.counts) for name in names]

    def answer_figures(self) -> list[AnswerFigures]:
        """The figures of answers, by the strategies that were named."""
        names = dict.fromkeys(answer.strategy for answer in self.answers)
        return [measure_answers(name, self.answers) for name in names]
