"""What is near in meaning, and what has the same words: codes, names and numbers that vectors blur.

Both ways to put them in one order count words by the share of the query's words that a passage has. A rank by words
alone says little: something is the first even where it shares but `the` and `of` with a question in other words, and
would push down what means the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_rag.config.retrieval import HybridConfig
from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.database.passage import Match
from llamafarm_rag.retrieval.candidates import FUSION, SIMILARITY, WORDS, Candidate, ordered, similar
from llamafarm_rag.retrieval.fusion import fused
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import Query
from llamafarm_rag.store.base import Filter


class HybridSearch:
    """Two searches, put in one order."""

    def __init__(self, config: HybridConfig) -> None:
        self._config = config

    async def find(
        self, query: Query, depth: int, where: Filter | None, database: SearchableDatabase, journal: Journal
    ) -> list[Candidate]:
        """The nearest `depth` passages and the `depth` that share most words, in one order. Raises DatabaseError."""
        near = similar(await journal.timed("nearest", database.nearest(query.vector, depth, where)))
        matching = await journal.timed("words", database.matching(query.text, depth, where))
        found = await _together(query, near, matching, database, journal)
        by_rank = self._config.combination_method == "rank_fusion"
        scores = self._ranks(near, found) if by_rank else self._averages(found)
        return ordered((each.scored(FUSION, scores[each.passage.id]) for each in found), FUSION)

    def _ranks(self, near: Sequence[Candidate], found: Sequence[Candidate]) -> dict[str, float]:
        """Both ranks of each passage, fused; a passage that one search has not found has no rank there."""
        weights = self._config.weights
        by_words = ordered((each for each in found if WORDS in each.scores), WORDS)
        rankings = [
            {each.passage.id: weights.similarity for each in near},
            {each.passage.id: weights.words * each.scores[WORDS] for each in by_words},
        ]
        return fused(rankings, self._config.rank_constant)

    def _averages(self, found: Sequence[Candidate]) -> dict[str, float]:
        """Both scores of each passage, averaged, from 0 to 1.

        Embedders use a part of the range of cosines, each another one: so they are counted from the least similar
        passage that was found, which is 0, to the most similar one, which is 1.
        """
        weights, cosines = self._config.weights, [each.scores[SIMILARITY] for each in found]
        scores: dict[str, float] = {}
        for each, nearness in zip(found, _spread(cosines), strict=True):
            total = weights.similarity * nearness + weights.words * each.scores.get(WORDS, 0.0)
            scores[each.passage.id] = total / (weights.similarity + weights.words)
        return scores


def _spread(values: Sequence[float]) -> list[float]:
    """The values from 0, the least of them, to 1, the greatest; where all are alike, all are the greatest."""
    least, width = min(values, default=0.0), max(values, default=0.0) - min(values, default=0.0)
    return [(value - least) / width if width else 1.0 for value in values]


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
