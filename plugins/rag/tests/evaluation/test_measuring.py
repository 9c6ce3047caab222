"""The figures of retrieval."""

from __future__ import annotations

import pytest
from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.evaluation.measuring import measure, quantile
from made import finding, row

COUNTS = (1, 3)
FINDINGS = [
    finding("a.md x.md", kind="code"),
    finding("x.md y.md b.md", "a.md b.md", kind="code", stages={"embed": 4.0, "nearest": 1.0}),
    finding("x.md", kind="page", stages={"embed": 6.0, "rerank": 9.0}, milliseconds=20.0),
    finding("", below=4),
    finding("", "", below=2),
    finding("x.md", ""),
    Finding(row(), "near", error="It failed."),
    finding("a.md", strategy="other"),
]
FIGURES = measure("near", FINDINGS, COUNTS)


def test_recall_is_of_the_questions_that_a_file_answers():
    assert FIGURES.recall.questions == 4
    assert FIGURES.recall.found == {1: 0.25, 3: 0.5}
    assert FIGURES.recall.files == {1: 0.25, 3: 0.375}
    assert FIGURES.recall.mrr == pytest.approx((1 + 1 / 3) / 4)


def test_rows_that_failed_do_not_count():
    assert (FIGURES.questions, FIGURES.failed) == (6, 1)


def test_each_kind_has_its_recall():
    assert {kind: (recall.questions, recall.found[3]) for kind, recall in FIGURES.kinds.items()} == {
        "code": (2, 1.0),
        "page": (1, 0.0),
    }


def test_questions_without_a_hit_are_those_that_are_refused():
    emptiness = FIGURES.emptiness
    assert (emptiness.answerable_empty, emptiness.answerable) == (1, 4)
    assert (emptiness.unanswerable_empty, emptiness.unanswerable) == (1, 2)
    assert emptiness.below == 6


def test_a_stage_is_timed_over_the_questions_that_had_it():
    times = FIGURES.times
    assert [*times] == ["embed", "nearest", "rerank", "total"]
    assert (times["embed"].median, times["embed"].p95, times["embed"].questions) == (4.0, 6.0, 2)
    assert (times["total"].median, times["total"].p95, times["total"].questions) == (8.0, 20.0, 6)


def test_where_all_have_failed_there_are_no_figures():
    figures = measure("near", [Finding(row(), "near", error="It failed.")], COUNTS)
    assert (figures.questions, figures.recall.found, figures.recall.mrr) == (0, {1: 0.0, 3: 0.0}, 0.0)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.95, 10), (0.0, 1), (1.0, 10), (0.01, 1)])
def test_a_quantile_is_a_value_that_was_measured(share, expected):
    assert quantile([*range(10, 0, -1)], share) == expected
    assert quantile([], share) == 0
