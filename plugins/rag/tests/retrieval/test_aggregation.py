"""What several queries have found, in one order."""

from __future__ import annotations

import pytest
from llamafarm_rag.retrieval.aggregation import weights_of
from searched import Barn, Concepts, files, passages

pytestmark = pytest.mark.anyio

FARM = Concepts("cow cows", "rain", "oil")
ROWS = passages("cows", "rain", "oil", "cows rain", "cows rain oil")


def worded(**config):
    return [{"name": "worded", "type": "MultiQuery", "config": {"base": "near", "top_k": 2, **config}},
            {"name": "near", "type": "BasicSimilarity"}]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "best"),
    [
        ("max", ["0.md", "1.md"]),  # each is what one of the queries asks for
        ("mean", ["3.md", "4.md"]),  # they fit both
        ("reciprocal_rank", ["3.md", "0.md"]),
    ],
)
async def test_each_method_has_an_order_of_its_own(method, best):
    found = await Barn(ROWS, worded(aggregation_method=method), FARM).find(queries=("cows", "rain"))
    assert files(found) == best


async def test_weights_say_which_query_counts_more():
    barn = Barn(ROWS, worded(aggregation_method="weighted", query_weights=[1, 10]), FARM)
    assert files(await barn.find(queries=("cows", "rain")))[0] == "1.md"
    assert files(await barn.find(queries=("rain", "cows")))[0] == "0.md"


async def test_a_score_of_a_stage_is_the_highest_of_all_queries():
    found = await Barn(ROWS, worded(aggregation_method="mean"), FARM).find(queries=("cows", "rain"))
    [hit] = [hit for hit in found.hits if hit.passage.file == "3.md"]
    assert hit.score == hit.scores["similarity"] >= hit.scores["queries"]


def test_wordings_count_half_where_they_are_weighed_and_nobody_says_how_much():
    assert weights_of(3, None, "weighted") == [1, 0.5, 0.5]
    assert weights_of(3, None, "reciprocal_rank") == [1, 1, 1]
    assert weights_of(3, [3, 2], "weighted") == [3, 2, 2]
    assert weights_of(1, [3, 2], "weighted") == [3]
