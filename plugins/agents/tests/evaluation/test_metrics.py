"""The figures, beside those of scikit-learn."""

from __future__ import annotations

import random

import pytest
from llamafarm_agents.evaluation.answers import Answer
from llamafarm_agents.evaluation.metrics import measure
from llamafarm_agents.evaluation.rows import Row


def answers(pairs, scores=()):
    return [
        Answer(Row(at, "", true), predicted, dict.fromkeys(scores)) for at, (true, predicted) in enumerate(pairs, 2)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_scikit_learn(seed):
    sklearn = pytest.importorskip("sklearn.metrics")
    draw = random.Random(seed)
    labels = [*"abcdefg"[: 2 + seed]]
    pairs = [(draw.choice(labels), draw.choice([*labels, "none of the table"])) for _ in range(50)]
    true, predicted = zip(*pairs, strict=True)
    metrics = measure(answers(pairs))
    names = [each.label for each in metrics.labels]
    assert metrics.accuracy == pytest.approx(sklearn.accuracy_score(true, predicted))
    assert metrics.macro_f1 == pytest.approx(sklearn.f1_score(true, predicted, average="macro", zero_division=0))
    assert [[*row] for row in metrics.confusion] == sklearn.confusion_matrix(true, predicted, labels=names).tolist()
    figures = sklearn.precision_recall_fscore_support(true, predicted, labels=names, zero_division=0)
    assert [(each.precision, each.recall, each.f1, each.support) for each in metrics.labels] == [
        tuple(pytest.approx(value) for value in row) for row in zip(*figures, strict=True)
    ]


def test_rows_that_failed_do_not_count():
    metrics = measure([*answers([("a", "a")]), Answer(Row(9, "", "b"), error="It failed.")])
    assert (metrics.rows, metrics.accuracy, [each.label for each in metrics.labels]) == (1, 1.0, ["a"])


def test_labels_stand_as_the_entry_has_them_and_foreign_ones_are_told():
    metrics = measure(answers([("a", "b"), ("x", "c")], scores=["c", "b", "a", "unused"]))
    assert [each.label for each in metrics.labels] == ["c", "b", "a", "x"]
    assert metrics.foreign == ("x",)


def test_where_all_have_failed_there_are_no_figures():
    assert (measure([]).rows, measure([]).labels) == (0, ())
