"""How good predictions are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from llamafarm_agents.evaluation.answers import Answer


@dataclass(frozen=True)
class LabelMetrics:
    """Of one class. precision: how many of those that got its label have it. recall: how many that have it got it.

    f1: their harmonic mean. support: how many have it. What would be divided by nothing is 0.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """Of all rows that were answered.

    accuracy: the share of right answers. macro_f1: the mean of the classes' f1, however many rows each has.
    confusion[i][j]: how many rows of the i-th label got the j-th. foreign: labels of the table that the model entry
    does not have.

    Source of the definitions: scikit-learn's user guide, "Classification metrics".
    """

    rows: int
    accuracy: float
    macro_f1: float
    labels: tuple[LabelMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    foreign: tuple[str, ...] = ()


def measure(answers: Iterable[Answer]) -> Metrics:
    """Compare the labels that rows have with those that they got; rows that failed do not count."""
    answered = [answer for answer in answers if not answer.error]
    own = list(dict.fromkeys(label for answer in answered for label in answer.scores))
    pairs = Counter((answer.row.label, answer.label) for answer in answered)
    labels = _ordered({label for pair in pairs for label in pair}, own)
    confusion = tuple(tuple(pairs[true, predicted] for predicted in labels) for true in labels)
    each = tuple(_of_label(label, at, confusion) for at, label in enumerate(labels))
    right = sum(confusion[at][at] for at in range(len(labels)))
    return Metrics(
        rows=len(answered),
        accuracy=_share(right, len(answered)),
        macro_f1=fmean([one.f1 for one in each]) if each else 0.0,
        labels=each,
        confusion=confusion,
        foreign=tuple(label for label in labels if own and label not in own),
    )


def _ordered(labels: set[str], own: Sequence[str]) -> list[str]:
    """Those of the model entry as it has them, then the others."""
    return [label for label in own if label in labels] + sorted(labels - {*own})


def _of_label(label: str, at: int, confusion: Sequence[Sequence[int]]) -> LabelMetrics:
    hits, support = confusion[at][at], sum(confusion[at])
    predicted = sum(row[at] for row in confusion)
    f1 = _share(2 * hits, support + predicted)
    return LabelMetrics(label, _share(hits, predicted), _share(hits, support), f1, support)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
