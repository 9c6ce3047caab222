"""What is done for a question: what its strategy says, what the strategies below it say, and what the request says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llamafarm_rag.config.bases import chain_of
from llamafarm_rag.config.retrieval import (
    FilteredStrategy,
    HybridConfig,
    HybridStrategy,
    MultiQueryConfig,
    MultiQueryStrategy,
    RerankedConfig,
    RerankedStrategy,
    RetrievalStrategy,
    SimilarityStrategy,
)
from llamafarm_rag.retrieval.filtered import FilteringSearch
from llamafarm_rag.retrieval.hybrid import HybridSearch
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.search import Search
from llamafarm_rag.retrieval.similarity import SimilaritySearch
from llamafarm_rag.store.base import Filter

SPARE = 2
"""So many times as many are searched for as are wanted, for some say the same again or fall below the threshold."""


@dataclass(frozen=True)
class Plan:
    """The steps of a retrieval: wordings, a search for each query, their aggregation, and reranking.

    top_k, score_threshold: of what is used. wanted: how many different passages the searches are to find. depth: how
    many they are asked for at first. where: what all filters say together.
    """

    top_k: int
    score_threshold: float | None
    search: Search
    wanted: int
    depth: int
    where: Filter | None
    multi_query: MultiQueryConfig
    is_worded: bool
    reranking: RerankedConfig | None


def plan_of(question: Question, strategy: RetrievalStrategy, strategies: Sequence[RetrievalStrategy]) -> Plan:
    """What is done for a question by a strategy; strategies: those of the database.

    `top_k` and `score_threshold` of the strategy that is asked count, not those of its bases. Raises UsageError for a
    base that is not there.
    """
    chain = chain_of(strategy, strategies)
    reranking = next((each.config for each in chain if isinstance(each, RerankedStrategy)), None)
    wording = next((each.config for each in chain if isinstance(each, MultiQueryStrategy)), None)
    config = strategy.config
    top_k = config.top_k if question.top_k is None else question.top_k
    wanted = top_k if reranking is None else max(reranking.initial_k, top_k)
    last = chain[-1]
    hybrid = last.config if isinstance(last, HybridStrategy) else HybridConfig()
    is_hybrid = not isinstance(last, SimilarityStrategy | FilteredStrategy)
    return Plan(
        top_k=top_k,
        score_threshold=config.score_threshold if question.score_threshold is None else question.score_threshold,
        search=HybridSearch(hybrid) if is_hybrid else _by_vectors(last),
        wanted=wanted,
        depth=max(SPARE * wanted, hybrid.initial_k if is_hybrid else 0),
        where=all_of([*(each.config.filters for each in chain), question.filters]),
        multi_query=wording or MultiQueryConfig(),
        is_worded=wording is not None and question.queries is None,
        reranking=reranking,
    )


def all_of(filters: Sequence[Filter | None]) -> Filter | None:
    """The filter that says what all of these say."""
    given = [each for each in filters if each]
    return {"$and": given} if len(given) > 1 else given[0] if given else None


def _by_vectors(strategy: RetrievalStrategy) -> Search:
    if isinstance(strategy, FilteredStrategy) and strategy.config.filter_mode == "post":
        return FilteringSearch(strategy.config.fallback_multiplier)
    return SimilaritySearch()
