"""`lf rag`: what would be retrieved, how large a database is, and building it anew."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio


async def test_a_question_shows_what_would_be_used_and_the_score_of_each_stage(farmer):
    await farmer.lf("datasets", "add", "docs")
    found = await farmer.json("rag", "query", "When does Berta give milk?")
    assert (found["database"], found["strategy"], found["queries"]) == (
        "notes",
        "hybrid",
        ["When does Berta give milk?"],
    )
    best = found["hits"][0]
    assert best["passage"]["file"] == "docs/cows.md"
    assert {"similarity", "words", "fusion"} <= best["scores"].keys()
    assert [stage["name"] for stage in found["stages"]][:2] == ["embed", "nearest"]
    shown = await farmer.lf("rag", "query", "When", "does", "Berta", "give", "milk?", "--rag-top-k", "1")
    assert shown.stdout.startswith("[1] ")
    assert "docs/cows.md > Cows" in shown.stdout
    assert "notes, hybrid: 1 found" in shown.stderr


async def test_filters_and_queries_of_ones_own(farmer):
    await farmer.lf("datasets", "add", "docs")
    found = await farmer.json("rag", "query", "What?", "--query", "barley", "--query", "milk")
    assert found["queries"] == ["barley", "milk"]
    refused = await farmer.lf("rag", "query", "What?", "--filters", "author=Ann")
    assert refused.exit_code == 2
    assert "is no JSON" in refused.output


@pytest.mark.parametrize(
    ("option", "said"),
    [("--database", "There is no database 'x'"), ("--retrieval-strategy", "There is no retrieval strategy 'x'")],
)
async def test_an_unknown_database_or_strategy_is_an_error(farmer, option, said):
    done = await farmer.lf("rag", "query", "What?", option, "x")
    assert done.exit_code == 1
    assert said in str(done.exception)


async def test_a_database_in_which_nothing_is_says_so(farmer):
    done = await farmer.lf("rag", "query", "What?")
    assert done.exit_code == 1
    assert "lf datasets" in str(done.exception)


async def test_a_database_tells_its_size_and_where_its_vectors_come_from(farmer):
    await farmer.lf("datasets", "add", "docs")
    [row] = await farmer.json("rag", "stats")
    assert (row["name"], row["passages"], row["files"], row["embedder"]["dimension"]) == ("notes", 2, 2, 16)
    assert (await farmer.lf("rag", "stats", "notes")).stdout.splitlines()[1].startswith("notes     2         2")


async def test_a_database_is_built_anew(farmer):
    await farmer.lf("datasets", "add", "docs")
    [report, _] = await farmer.json("rag", "rebuild")
    assert report["totals"]["added"] == 2
