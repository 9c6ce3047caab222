"""What strategies find for the questions of a table."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from llamafarm_rag.evaluation.finding import Searcher
from made import finding, row
from searched import Barn, Concepts, passages, similarity

pytestmark = pytest.mark.anyio

FARM = Concepts("cow cows cattle", "eat eats fodder", "tractor engine")
TEXTS = ["Cattle eat fodder", "The tractor stands", "Error E-417"]


async def found(rows, *, depth=2):
    barn = Barn(passages(*TEXTS), [similarity(top_k=1), {"name": "both", "type": "HybridUniversal"}], FARM)
    done: list[int] = []
    searcher = Searcher(SimpleNamespace(ask=barn.models.ask), barn.database, barn.embedder, depth)
    await searcher.find_all(rows, barn.database.options.strategies, at_once=2, done=lambda: done.append(1))
    assert len(done) == len(searcher.findings) == 2 * len(rows)
    return {(each.strategy, each.row.line): each for each in searcher.findings}


async def test_each_strategy_searches_for_each_question_as_deep_as_is_measured():
    findings = await found([row("0.md", question="cows eat"), row("2.md", question="E-417?", line=3)])
    assert [*findings] == [("near", 2), ("near", 3), ("both", 2), ("both", 3)]
    assert {len(each.hits) for each in findings.values()} == {2}
    assert findings["near", 2].rank == findings["both", 3].rank == 1
    assert all(each.milliseconds > 0 for each in findings.values())


async def test_a_question_that_cannot_be_searched_for_leaves_the_others():
    findings = await found([row(question=""), row("0.md", question="cows", line=3)])
    assert "question is empty" in findings["near", 2].error
    assert (findings["near", 2].hits, findings["near", 2].rank) == ((), None)
    assert findings["near", 3].error == ""


def test_the_first_passage_of_any_right_file_counts():
    made = finding("x.md b.md a.md", "a.md b.md c.md")
    assert made.rank == 2
    assert [made.is_found(count) for count in (1, 2, 3)] == [False, True, True]
    assert [made.share(count) for count in (1, 2, 3)] == pytest.approx([0, 1 / 3, 2 / 3])


def test_a_file_with_several_passages_counts_once():
    assert finding("a.md a.md x.md", "a.md b.md").share(3) == 0.5
