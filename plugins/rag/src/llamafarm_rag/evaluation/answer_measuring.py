"""How good answers are, and what they cite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llamafarm_rag.evaluation.answers import Answer
from llamafarm_rag.evaluation.keywords import has_key_words
from llamafarm_rag.evaluation.measuring import quantile


@dataclass(frozen=True)
class Part:
    """So many of so many."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """As a number from 0 to 1; of none, 0."""
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True)
class AnswerFigures:
    """What came out for the answers by one strategy. questions: those that did not fail.

    Of the questions that some file answers: in_context: those of which the model was sent such a file. precision: the
    sources that answers cite, those of such a file. rightly_cited: the answers that cite one. key_words: the answers
    that have the words of the table, of those for which it has any. wrongly_refused: those that were refused.
    Of the others: rightly_refused.
    Of all: uncited: answers that cite nothing and are not the refusal; unchecked: those whose sentences could not be
    checked; removed, added, unsupported: marks and sentences. prompt_tokens, completion_tokens: None where nobody tells
    them. median, p95: seconds of an answer.
    """

    strategy: str | None
    questions: int
    failed: int
    in_context: Part
    precision: Part
    rightly_cited: Part
    key_words: Part
    wrongly_refused: Part
    rightly_refused: Part
    uncited: int
    unchecked: int
    removed: int
    added: int
    unsupported: int
    prompt_tokens: int | None
    completion_tokens: int | None
    median: float
    p95: float


def measure_answers(strategy: str | None, answers: Iterable[Answer]) -> AnswerFigures:
    """The figures of the answers by a strategy. Questions that failed do not count."""
    own = [answer for answer in answers if answer.strategy == strategy]
    there = [answer for answer in own if not answer.error]
    answerable = [answer for answer in there if answer.row.is_answerable]
    others = [answer for answer in there if not answer.row.is_answerable]
    worded = [answer for answer in answerable if answer.row.answers]
    seconds = [answer.seconds for answer in there]
    return AnswerFigures(
        strategy=strategy,
        questions=len(there),
        failed=len(own) - len(there),
        in_context=_part(bool({*answer.context} & {*answer.row.files}) for answer in answerable),
        precision=Part(sum(answer.right for answer in answerable), sum(len(answer.cited) for answer in answerable)),
        rightly_cited=_part(answer.right > 0 for answer in answerable),
        key_words=_part(has_key_words(answer.text, answer.row.answers) for answer in worded),
        wrongly_refused=_part(answer.is_refused for answer in answerable),
        rightly_refused=_part(answer.is_refused for answer in others),
        uncited=sum(not answer.cited and not answer.is_refused for answer in there),
        unchecked=sum(bool(answer.problem) for answer in there),
        removed=sum(answer.removed for answer in there),
        added=sum(answer.added for answer in there),
        unsupported=sum(answer.unsupported for answer in there),
        prompt_tokens=_tokens(there, 0),
        completion_tokens=_tokens(there, 1),
        median=quantile(seconds, 0.5),
        p95=quantile(seconds, 0.95),
    )


def _part(facts: Iterable[bool]) -> Part:
    listed = [*facts]
    return Part(sum(listed), len(listed))


def _tokens(answers: Sequence[Answer], which: int) -> int | None:
    """Their sum; None where any answer does not tell them."""
    counts = [answer.tokens[which] for answer in answers if answer.tokens is not None]
    return sum(counts) if answers and len(counts) == len(answers) else None
