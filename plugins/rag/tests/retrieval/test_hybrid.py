"""Meaning and words, in one order."""

from __future__ import annotations

import pytest
from searched import Barn, Concepts, files, passages

pytestmark = pytest.mark.anyio

FARM = Concepts("cow cows cattle herd", "feed fodder eat", "pump")
ROWS = passages("cows eat fodder at six", "cattle and the herd", "the pump shows e-417", "the and of the")


def barn(**config):
    return Barn(ROWS, [{"name": "both", "type": "HybridUniversal", "config": config}], FARM)


async def test_the_average_is_from_the_least_similar_to_the_most_similar_passage_and_by_the_share_of_words():
    found = await barn().find("what does the herd eat?")
    by_file = {hit.passage.file: hit.scores for hit in found.hits}
    cosines = [scores["similarity"] for scores in by_file.values()]
    spread = (by_file["1.md"]["similarity"] - min(cosines)) / (max(cosines) - min(cosines))
    assert 0 < spread < 1
    assert by_file["1.md"]["fusion"] == pytest.approx((spread + by_file["1.md"]["words"]) / 2)
    assert all(0 <= scores["fusion"] <= 1 for scores in by_file.values())


async def test_ranks_are_fused_where_the_strategy_says_so():
    found = await barn(combination_method="rank_fusion").find("e-417")
    scores = found.hits[0].scores
    assert found.hits[0].passage.file == "2.md"
    assert scores["words"] == pytest.approx(1)
    assert scores["fusion"] > 1 / 11


@pytest.mark.parametrize("method", ["weighted_average", "rank_fusion"])
async def test_words_that_all_texts_have_push_nothing_up(method):
    found = await barn(combination_method=method).find("the cow of the fodder")
    assert files(found)[0] == "0.md"


@pytest.mark.parametrize("method", ["weighted_average", "rank_fusion"])
async def test_a_search_without_weight_changes_no_order(method):
    near = await barn(combination_method=method, weights={"words": 0}).find("cattle e-417 the of")
    assert files(near)[0] == "1.md"
    same = await barn(combination_method=method, weights={"similarity": 0}).find("cattle pump e-417")
    assert files(same)[0] == "2.md"


async def test_a_single_passage_is_found():
    assert files(await Barn(ROWS[:1], embedder=FARM).find("pump")) == ["0.md"]
    assert files(await Barn([], embedder=FARM).find("pump")) == []
