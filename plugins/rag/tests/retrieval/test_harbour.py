"""Meaning and words together find what each alone misses, as a real embedder sees it.

66 passages on one harbour say nearly the same of different things; 16 questions name a code, a name or a number, 16 ask
in words that are not in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from harbour import BY_MEANING, BY_WORDS, PASSAGES
from llamafarm_rag.config.project import database_of, strategy_of
from llamafarm_rag.database.base import Database, EmbedderIdentity, FileRecord
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.embedding.asking import embedder_of
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.result import Retrieval
from llamafarm_rag.retrieval.retrieving import retrieve
from runtime_process import embedding_project
from searched import passage

pytestmark = pytest.mark.anyio

STRATEGIES = """
      retrieval_strategies:
        - {name: similarity, type: BasicSimilarityStrategy}
        - {name: words, type: HybridUniversalStrategy, config: {weights: {similarity: 0}}}
        - {name: average, type: HybridUniversalStrategy}
        - {name: rank_fusion, type: HybridUniversalStrategy, config: {combination_method: rank_fusion}}
        - {name: ranked, type: RerankedStrategy, config: {model: minilm, initial_k: 5, top_k: 3}}
        - {name: worded, type: MultiQueryStrategy, config: {model: demo}}
"""
HYBRID = pytest.mark.parametrize("hybrid", ["average", "rank_fusion"])


class Harbour:
    """The passages, embedded, and who can be asked."""

    def __init__(self, database, embedder, ask) -> None:
        self.database, self.embedder, self.ask = database, embedder, ask

    async def places(self, strategy: str, questions: Mapping[str, int]) -> dict[str, int]:
        """For each question the place of its passage among those found, from 1."""
        return {question: await self._place(strategy, question, number) for question, number in questions.items()}

    async def find(self, strategy: str, question: Question) -> Retrieval:
        chosen = strategy_of(self.database.options, strategy)
        return await retrieve(question, self.database, self.embedder, chosen, self.ask)

    async def _place(self, strategy: str, question: str, number: int) -> int:
        found = await self.find(strategy, Question(question, top_k=len(PASSAGES)))
        return [hit.passage.number for hit in found.hits].index(number) + 1


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def harbour(runtime_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("harbour")
    async with embedding_project(folder, runtime_url, STRATEGIES) as farm:
        options = database_of(farm.project, None)
        embedder = embedder_of(farm.project, options, farm)
        database = await open_database(farm.project, options, {"LF_DATA_DIR": str(folder / "data")})
        try:
            await fill(database, await embedder.vectors(PASSAGES, "passage"))
            yield Harbour(database, embedder, farm.ask)
        finally:
            await database.aclose()


async def fill(database: Database, vectors) -> None:
    """Put all passages there, as those of one file."""
    rows = [passage(text, file="harbour.txt", number=number, id=f"{number:02}") for number, text in enumerate(PASSAGES)]
    await database.claim(EmbedderIdentity("minilm", "minilm", vectors.shape[1]))
    await database.put(rows, vectors)
    record = FileRecord("docs", "/harbour.txt", "harbour.txt", "content", "cut", 1, len(rows), 0.0)
    await database.finish(record, [row.id for row in rows])


@HYBRID
async def test_codes_names_and_numbers_are_found_by_their_words(harbour, hybrid):
    similarity = await harbour.places("similarity", BY_WORDS)
    both = await harbour.places(hybrid, BY_WORDS)
    assert [question for question, place in both.items() if place > 1] == []
    assert sum(place > 1 for place in similarity.values()) >= 3


@HYBRID
async def test_other_words_for_the_same_are_found_by_what_they_mean(harbour, hybrid):
    words = await harbour.places("words", BY_MEANING)
    similarity = await harbour.places("similarity", BY_MEANING)
    both = await harbour.places(hybrid, BY_MEANING)
    assert sum(place > 5 for place in words.values()) >= 8
    near = [question for question, place in similarity.items() if place <= 3]
    assert len(near) >= 11
    assert [question for question in near if both[question] > 5] == []


async def test_a_model_of_the_runtime_reranks(harbour):
    found = await harbour.find("ranked", Question("Is grilling sausages permitted?"))
    assert found.hits[0].passage.number == BY_MEANING["Is grilling sausages permitted?"]
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert scores == [hit.scores["rerank"] for hit in found.hits]
    assert len(found.hits) == 3


async def test_a_model_of_the_runtime_words_the_question(harbour):
    found = await harbour.find("worded", Question("Where is reel R6?"))
    assert found.queries[0] == "Where is reel R6?"
    assert len(found.queries) <= 3
    assert len(found.queries) > 1 or found.notes
    assert found.hits
