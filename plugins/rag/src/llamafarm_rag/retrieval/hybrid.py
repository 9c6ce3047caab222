"""What is near in meaning, and what has the same words: codes, names and numbers that vectors blur."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llamafarm_rag.config.retrieval import HybridConfig
from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.database.passage import Match
from llamafarm_rag.retrieval.candidates import FUSION, SIMILARITY, WORDS, Candidate, ordered, similar
from llamafarm_rag.retrieval.fusion import fused
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import Query
from llamafarm_rag.store.base import Filter


class HybridSearch:
    """Two searches whose ranks are fused."""

    def __init__(self, config: HybridConfig) -> None:
        self._config = config

    async def find(
        self, query: Query, depth: int, where: Filter | None, database: SearchableDatabase, journal: Journal
    ) -> list[Candidate]:
        """The nearest `depth` passages and the `depth` that share most words, in one order. Raises DatabaseError."""
        near = similar(await journal.timed("nearest", database.nearest(query.vector, depth, where)))
        matching = await journal.timed("words", database.matching(query.text, depth, where))
        found = await _together(query, near, matching, database, journal)
        scores = fused([*self._rankings(near, found)], self._config.rank_constant)
        return ordered((each.scored(FUSION, scores[each.passage.id]) for each in found), FUSION)

    def _rankings(self, near: Sequence[Candidate], found: Sequence[Candidate]) -> Iterator[dict[str, float]]:
        """Both orders. By words, a passage counts by the share of the query's words that it has.

        A rank by words alone says little: something is the first even where it shares but `the` and `of` with a
        question in other words, and would push down what means the same.
        """
        weights = self._config.weights
        yield {each.passage.id: weights.similarity for each in near}
        by_words = ordered((each for each in found if WORDS in each.scores), WORDS)
        yield {each.passage.id: weights.words * each.scores[WORDS] for each in by_words}


async def _together(
    query: Query, near: Sequence[Candidate], matching: Sequence[Match], database: SearchableDatabase, journal: Journal
) -> list[Candidate]:
    """What either search has found, with the scores of both, and its places in them.

    What only words have found gets its similarity from the database. A passage that has none was removed in between.
    """
    found = {each.passage.id: each for each in near}
    others = [match.passage for match in matching if match.passage.id not in found]
    if others:
        ids = [passage.id for passage in others]
        cosines = await journal.timed("similarities", database.similarities(query.vector, ids))
        found |= {each.id: Candidate(each, {SIMILARITY: cosines[each.id]}) for each in others if each.id in cosines}
    for place, match in enumerate(matching, 1):
        if match.passage.id in found:
            found[match.passage.id] = found[match.passage.id].scored(WORDS, match.score).placed(WORDS, place)
    return list(found.values())
