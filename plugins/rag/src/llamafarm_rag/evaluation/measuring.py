"""How good what a strategy finds is.

Sources of the definitions: Manning, Raghavan and Schütze, "Introduction to Information Retrieval", chapter 8 (recall);
Voorhees, "The TREC-8 Question Answering Track Report" (the mean reciprocal rank).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.origins import Origins, origins_of

TOTAL = "total"
"""The name of the time of all stages together."""


@dataclass(frozen=True)
class Times:
    """How long a stage takes, in milliseconds. questions: how many had it."""

    median: float
    p95: float
    questions: int


@dataclass(frozen=True)
class Recall:
    """Of the questions that some file answers.

    found: by k, the share with any file that answers among the first k passages. files: by k, the mean share of such
    files that are among them, which is less where several answer. mrr: the mean of 1 / the place of the first.
    """

    questions: int
    found: dict[int, float]
    files: dict[int, float]
    mrr: float


@dataclass(frozen=True)
class Emptiness:
    """Questions for which nothing is used, because nothing reaches the threshold: they are refused.

    below: of all questions, passages that fell below it.
    """

    answerable: int
    answerable_empty: int
    unanswerable: int
    unanswerable_empty: int
    below: int


@dataclass(frozen=True)
class StrategyFigures:
    """What came out for one strategy. questions: those that did not fail. kinds: the recall of each kind.

    origins: of a hybrid strategy, by k.
    """

    strategy: str
    questions: int
    failed: int
    recall: Recall
    kinds: dict[str, Recall]
    emptiness: Emptiness
    times: dict[str, Times]
    origins: dict[int, Origins] | None


def measure(strategy: str, findings: Iterable[Finding], counts: Sequence[int]) -> StrategyFigures:
    """The figures of a strategy. counts: the k of recall@k. Questions that failed do not count."""
    own = [finding for finding in findings if finding.strategy == strategy]
    there = [finding for finding in own if not finding.error]
    answerable = [finding for finding in there if finding.row.is_answerable]
    kinds = dict.fromkeys(finding.row.kind for finding in answerable if finding.row.kind)
    return StrategyFigures(
        strategy=strategy,
        questions=len(there),
        failed=len(own) - len(there),
        recall=recall_of(answerable, counts),
        kinds={kind: recall_of([each for each in answerable if each.row.kind == kind], counts) for kind in kinds},
        emptiness=_emptiness(there),
        times=_times(there),
        origins=origins_of(answerable, counts),
    )


def recall_of(findings: Sequence[Finding], counts: Sequence[int]) -> Recall:
    """The recall of questions that some file answers; of none it is 0."""

    return Recall(
        questions=len(findings),
        found={count: _mean(float(finding.is_found(count)) for finding in findings) for count in counts},
        files={count: _mean(finding.share(count) for finding in findings) for count in counts},
        mrr=_mean(1 / finding.rank if finding.rank else 0.0 for finding in findings),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that at least such a share of them does not exceed (nearest rank); of none, 0."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)] if ordered else 0.0


def _mean(values: Iterable[float]) -> float:
    """The mean; of nothing it is 0."""
    return fmean(listed) if (listed := [*values]) else 0.0


def _emptiness(findings: Sequence[Finding]) -> Emptiness:
    answerable = [finding for finding in findings if finding.row.is_answerable]
    others = [finding for finding in findings if not finding.row.is_answerable]
    return Emptiness(
        answerable=len(answerable),
        answerable_empty=sum(not finding.hits for finding in answerable),
        unanswerable=len(others),
        unanswerable_empty=sum(not finding.hits for finding in others),
        below=sum(finding.retrieval.below for finding in findings if finding.retrieval),
    )


def _times(findings: Sequence[Finding]) -> dict[str, Times]:
    """By the name of the stage, in the order in which they are done, and `total`."""
    measured: dict[str, list[float]] = {}
    for finding in findings:
        for stage in finding.retrieval.stages if finding.retrieval else ():
            measured.setdefault(stage.name, []).append(stage.milliseconds)
    measured[TOTAL] = [finding.milliseconds for finding in findings]
    return {name: Times(quantile(each, 0.5), quantile(each, 0.95), len(each)) for name, each in measured.items()}
