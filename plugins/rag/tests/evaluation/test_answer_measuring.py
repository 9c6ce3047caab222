"""The figures of answers."""

from __future__ import annotations

from llamafarm_rag.evaluation.answer_measuring import Part, measure_answers
from llamafarm_rag.evaluation.answers import Answer
from made import answer, row

ANSWERS = [
    answer(cited="a.md b.md", context=("a.md", "b.md"), words=("no flame",), text="No flame [1].", tokens=(9, 2)),
    answer(cited="b.md", context=("b.md",), words=("95 euros",), text="90 euros [1].", tokens=(8, 3), unsupported=1),
    answer(context=("a.md",), is_refused=True, tokens=(7, 1), seconds=3.0),
    answer(tokens=(6, 1), problem="The reranker is gone.", removed=2, added=1),
    answer("", is_refused=True, tokens=(0, 0)),
    answer("", cited="c.md", tokens=(5, 5)),
    Answer(row(), error="It failed."),
    answer(strategy="other"),
]
FIGURES = measure_answers(None, ANSWERS)


def test_citations_are_right_where_their_file_answers_the_question():
    assert FIGURES.precision == Part(1, 3)
    assert FIGURES.rightly_cited == Part(1, 4)
    assert FIGURES.in_context == Part(2, 4)
    assert FIGURES.precision.share == 1 / 3


def test_refusals_are_right_where_no_file_answers():
    assert (FIGURES.rightly_refused, FIGURES.wrongly_refused) == (Part(1, 2), Part(1, 4))


def test_key_words_are_looked_for_where_the_table_has_any():
    assert FIGURES.key_words == Part(1, 2)


def test_what_was_changed_is_counted():
    assert (FIGURES.questions, FIGURES.failed, FIGURES.uncited, FIGURES.unchecked) == (6, 1, 1, 1)
    assert (FIGURES.removed, FIGURES.added, FIGURES.unsupported) == (2, 1, 1)


def test_tokens_are_told_where_all_answers_tell_them():
    assert (FIGURES.prompt_tokens, FIGURES.completion_tokens, FIGURES.p95) == (35, 12, 3.0)
    assert measure_answers(None, [*ANSWERS, answer()]).prompt_tokens is None


def test_of_nothing_the_share_is_0():
    assert measure_answers("absent", ANSWERS).precision.share == 0.0
