"""From a question to the passages that may answer it, by every strategy."""

from __future__ import annotations

import pytest
from llamafarm.errors import RequestError, UsageError
from llamafarm.wire import CHAT, RERANK
from searched import Barn, Concepts, Models, files, passage, passages, similarity

pytestmark = pytest.mark.anyio

FARM = Concepts("cow cows cattle herd", "eat eats feed fodder", "tractor engine oil", "rain weather")
TEXTS = ["Cattle eat fodder", "The tractor needs oil", "Rain again", "Error E-417 of the pump", "Cows in the rain"]


async def test_similarity_puts_what_means_the_same_first():
    barn = Barn(passages(*TEXTS), [similarity(top_k=2)], FARM)
    found = await barn.find("What does the herd feed on?")
    assert files(found) == ["0.md", "4.md"]
    assert found.hits[0].score == found.hits[0].scores["similarity"] > 0.9
    assert (found.database, found.strategy, found.queries) == ("barn", "near", ("What does the herd feed on?",))
    assert [stage.name for stage in found.stages] == ["embed", "nearest"]


async def test_hybrid_finds_a_code_that_vectors_blur():
    barn = Barn(passages(*TEXTS), [similarity(top_k=1), {"name": "both", "type": "HybridUniversalStrategy"}], FARM)
    question = "What to do at E-417 while the tractor stands?"
    assert files(await barn.find(question, strategy="near")) == ["1.md"]
    found = await barn.find(question, strategy="both", top_k=2)
    assert set(files(found)) == {"1.md", "3.md"}


async def test_what_only_words_have_found_has_its_similarity_too():
    config = {"initial_k": 1, "top_k": 1, "weights": {"similarity": 0.1}}
    rows = passages("Tractor oil", "Tractor engine", "Tractor", "Code E-417 of pump")
    barn = Barn(rows, [{"name": "both", "type": "HybridUniversal", "config": config}], FARM)
    found = await barn.find("tractor pump code e-417")
    [hit] = found.hits
    assert hit.passage.file == "3.md"
    assert hit.score == hit.scores["similarity"] < 0.2
    assert 0.5 < hit.scores["words"] < 1
    assert [stage.name for stage in found.stages] == ["embed", "nearest", "words", "similarities"]


async def test_a_field_that_is_not_given_leaves_the_strategys_own():
    barn = Barn(passages(*TEXTS), [similarity(top_k=3, score_threshold=0.9)], FARM)
    assert len((await barn.find("cows eat")).hits) == 1
    assert len((await barn.find("cows eat", score_threshold=-1)).hits) == 3
    assert len((await barn.find("cows eat", score_threshold=-1, top_k=4)).hits) == 4
    assert len((await barn.find("cows", score_threshold=0.0, top_k=1)).hits) == 1


async def test_what_falls_below_the_threshold_is_counted():
    found = await Barn(passages(*TEXTS), [similarity()], FARM).find("cows eat", score_threshold=0.5)
    assert files(found) == ["0.md", "4.md"]
    assert found.below == 3


async def test_more_than_there_are_is_all_there_are():
    assert len((await Barn(passages(*TEXTS), [similarity()], FARM).find("cows", top_k=900)).hits) == 5
    assert (await Barn([], [similarity()], FARM).find("cows")).hits == ()


async def test_a_text_that_stands_in_two_files_is_used_once():
    found = await Barn(passages("Cows eat", "Cows \n eat", "Cows in the rain"), [similarity()], FARM).find("cows eat")
    assert files(found) == ["0.md", "2.md"]
    assert found.repeated == 1


async def test_copies_do_not_crowd_out_what_is_different():
    barn = Barn(passages(*["Cows eat"] * 60, "Cows in the rain"), [similarity(top_k=2)], FARM)
    found = await barn.find("cows eat")
    assert files(found) == ["0.md", "60.md"]
    assert found.repeated == 59
    assert [limit for _, limit in barn.database.asked] == [4, 16, 64]


async def test_equal_scores_are_in_the_order_of_files_and_of_places_in_them():
    rows = [
        passage("Cows eat on the second page", file="a.md", number=1),
        passage("Cows eat on the first page", file="a.md", number=0),
        passage("Cows eat here", file="b.md"),
    ]
    for order in (rows, rows[::-1]):
        for strategy in (similarity(), {"name": "both", "type": "HybridUniversalStrategy"}):
            found = await Barn(order, [strategy], FARM).find("herd fodder")
            assert [(hit.passage.file, hit.passage.number) for hit in found.hits] == [
                ("a.md", 0),
                ("a.md", 1),
                ("b.md", 0),
            ]


@pytest.mark.parametrize(
    "fields", [{}, {"text": " \n"}, {"text": "x", "queries": ()}, {"text": "x", "queries": ("a", "")}]
)
async def test_nothing_to_search_for_is_an_error(fields):
    with pytest.raises(RequestError, match="the question is empty"):
        await Barn(passages(*TEXTS), [similarity()], FARM).find(**{"text": "", **fields})


async def test_no_passages_at_all_cannot_be_asked_for():
    with pytest.raises(RequestError, match="rag_top_k"):
        await Barn(passages(*TEXTS), [similarity()], FARM).find("cows", top_k=0)


YEARS = [passage(f"Cows eat, {year}", file=f"{year}.md", metadata={"year": year, "by": by}) for year, by in
         [(2019, "Ann"), (2020, "Ann"), (2021, "Bob"), (2022, "Bob")]]  # fmt: skip


@pytest.mark.parametrize("mode", ["pre", "post"])
async def test_filters_of_a_request_hold_beside_those_of_the_strategy(mode):
    config = {"filters": {"by": "Bob"}, "filter_mode": mode}
    barn = Barn(YEARS, [{"name": "bobs", "type": "MetadataFilteredStrategy", "config": config}], FARM)
    assert files(await barn.find("cows eat")) == ["2021.md", "2022.md"]
    assert files(await barn.find("cows eat", filters={"year": {"$gte": 2022}})) == ["2022.md"]
    assert files(await barn.find("cows eat", filters={"by": "Ann"})) == []


async def test_a_hybrid_search_filters_both_of_its_searches():
    barn = Barn(YEARS, embedder=FARM)
    assert files(await barn.find("cows eat", filters={"year": 2020})) == ["2020.md"]


async def test_filtering_afterwards_looks_through_more():
    config = {"filters": {"by": "Bob"}, "filter_mode": "post", "fallback_multiplier": 5, "top_k": 1}
    barn = Barn(YEARS, [{"name": "bobs", "type": "MetadataFiltered", "config": config}], FARM)
    assert files(await barn.find("cows eat")) == ["2021.md"]
    assert barn.database.asked == [("nearest", 10)]


WORDED = {"name": "worded", "type": "MultiQueryStrategy", "config": {"model": "writer", "num_queries": 3}}


async def test_a_model_words_the_question_in_other_ways():
    models = Models("1. tractor oil\n2. rain\n3. a fourth is not asked for")
    found = await Barn(passages(*TEXTS), [WORDED], FARM, models).find("cows eat?", top_k=3)
    assert found.queries == ("cows eat?", "tractor oil", "rain")
    assert found.hits[0].scores["queries"] > 0
    [(operation, request, model)] = models.asked
    assert (operation, model) == (CHAT, "writer")
    assert "cows eat?" in request["messages"][0]["content"]
    assert "Write 2 other" in request["messages"][0]["content"]
    assert found.stages[0].name == "wordings"


async def test_queries_of_the_client_are_taken_in_place_of_wordings():
    models = Models("unused")
    found = await Barn(passages(*TEXTS), [WORDED], FARM, models).find("cows?", queries=("rain", "oil"), top_k=2)
    assert found.queries == ("rain", "oil")
    assert set(files(found)) == {"1.md", "2.md"}
    assert models.asked == []


async def test_a_model_that_words_nothing_leaves_the_question():
    found = await Barn(passages(*TEXTS), [WORDED], FARM, Models("Sure, here they are:")).find("cows eat")
    assert found.queries == ("cows eat",)
    assert "only the question" in found.notes[0]


def reranked(**config):
    return {"name": "ranked", "type": "RerankedStrategy", "config": {"model": "judge", **config}}


async def test_a_reranker_has_the_last_word():
    models = Models(relevance=lambda text: 0.9 if "oil" in text else 0.2)
    found = await Barn(passages(*TEXTS), [reranked()], FARM, models).find("cows eat", score_threshold=0.5)
    assert files(found) == ["1.md"]
    assert found.hits[0].score == found.hits[0].scores["rerank"] == 0.9
    assert found.hits[0].scores["similarity"] < 0.5
    assert found.below == 4
    [(operation, request, model)] = models.asked
    assert (operation, model, request["query"]) == (RERANK, "judge", "cows eat")


async def test_a_reranker_reads_a_passage_below_its_headings():
    models = Models()
    await Barn([passage("Twice a day.", heading=("Cows", "Fodder"))], [reranked()], FARM, models).find("cows")
    assert models.asked[0][1]["documents"] == ["Cows > Fodder\n\nTwice a day."]


async def test_a_reranker_reads_as_many_as_the_strategy_says_and_never_fewer_than_are_wanted():
    models = Models()
    barn = Barn(passages(*TEXTS), [reranked(initial_k=2, top_k=1)], FARM, models)
    assert len((await barn.find("cows")).hits) == 1
    assert len(models.asked[-1][1]["documents"]) == 2
    assert len((await barn.find("cows", top_k=4)).hits) == 4


async def test_what_a_reranker_says_nothing_of_is_noted():
    models = Models(relevance=lambda text: None if "Rain" in text else 0.5)
    found = await Barn(passages(*TEXTS), [reranked()], FARM, models).find("rain", top_k=5)
    assert "2.md" not in files(found)
    assert "1 of 5" in found.notes[0]


async def test_nothing_found_asks_no_reranker():
    models = Models()
    assert (await Barn([], [reranked()], FARM, models).find("rain")).hits == ()
    assert models.asked == []


async def test_a_strategy_stands_on_another_one_and_on_its_filters():
    strategies = [
        reranked(base="worded"),
        {**WORDED, "config": {**WORDED["config"], "base": "bobs"}},
        {"name": "bobs", "type": "MetadataFilteredStrategy", "config": {"filters": {"by": "Bob"}}},
    ]
    models = Models("fodder for the herd")
    found = await Barn(YEARS, strategies, FARM, models).find("cows eat")
    assert files(found) == ["2021.md", "2022.md"]
    assert found.queries == ("cows eat", "fodder for the herd")
    assert [stage.name for stage in found.stages] == ["wordings", "embed", "nearest", "rerank"]
    assert set(found.hits[0].scores) == {"similarity", "queries", "rerank"}


async def test_a_base_that_is_not_there_is_no_search_without_it():
    with pytest.raises(UsageError, match="'gone' is no retrieval strategy"):
        await Barn(passages(*TEXTS), [reranked(base="gone")], FARM).find("cows")


async def test_a_question_that_is_longer_than_the_embedder_reads_is_searched_for_in_parts():
    embedder = Concepts("cow cows", "tractor", longest_text=12)
    long = "The tractor stood in the yard for a whole week of rain. " * 2 + "And now to what I ask: what do cows eat?"
    found = await Barn(passages("Cows eat fodder", "The tractor"), [similarity()], embedder).find(long)
    assert " ".join(found.queries[:1]).startswith("The tractor stood")
    assert found.queries[-1] == "And now to what I ask: what do cows eat?"
    assert set(files(found)) == {"0.md", "1.md"}
    assert "its parts are searched for" in found.notes[0]


async def test_a_hit_tells_its_place_in_each_search():
    config = {"initial_k": 3, "weights": {"similarity": 0.1}}
    rows = passages("Tractor oil", "Tractor engine", "Tractor", "Code E-417 of pump")
    barn = Barn(rows, [{"name": "both", "type": "HybridUniversal", "config": config}], FARM)
    found = await barn.find("tractor pump code e-417", top_k=1)
    [hit] = found.hits
    assert (hit.passage.file, hit.places["words"]) == ("3.md", 1)
    several = await barn.find(queries=("tractor", "pump code e-417"), top_k=4)
    places = {hit.passage.file: dict(hit.places) for hit in several.hits}
    assert places["3.md"] == {"nearest": 1, "words": 1}
    assert places["0.md"]["nearest"] <= 3
