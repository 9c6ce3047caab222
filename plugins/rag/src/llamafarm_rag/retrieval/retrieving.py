"""From a question to the passages that may answer it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from llamafarm.errors import RequestError

from llamafarm_rag.config.retrieval import RetrievalStrategy
from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.embedding.base import Embedder
from llamafarm_rag.retrieval.aggregation import aggregate, weights_of
from llamafarm_rag.retrieval.candidates import Candidate
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.parts import parts_of
from llamafarm_rag.retrieval.plan import Plan, plan_of
from llamafarm_rag.retrieval.question import AskModel, Query, Question
from llamafarm_rag.retrieval.repetition import distinct
from llamafarm_rag.retrieval.reranking import reranked
from llamafarm_rag.retrieval.result import Retrieval
from llamafarm_rag.retrieval.wordings import wordings

DEEPER = 4
"""Where a search brings too little that is new, so many times as many are asked for, again and again."""


async def retrieve(
    question: Question,
    database: SearchableDatabase,
    embedder: Embedder,
    strategy: RetrievalStrategy,
    ask: AskModel,
) -> Retrieval:
    """The passages for a question, the best first, and how they were found.

    ask: reaches the models that wordings and rerankers need. Raises RequestError for a question without a text or a
    number that cannot be, UsageError for a strategy that cannot be followed, DatabaseError, and what asking raises.
    """
    _check(question)
    plan = plan_of(question, strategy, database.options.strategies)
    journal = Journal()
    texts = await _texts(question, plan, embedder, ask, journal)
    vectors = await journal.timed("embed", embedder.vectors(texts, "query"))
    queries = [Query(text, vector) for text, vector in zip(texts, vectors, strict=True)]
    found, repeated = await _search(plan, queries, database, journal)
    if plan.reranking is not None:
        best = found[: plan.wanted]
        found = await journal.timed("rerank", reranked(_subject(question), best, plan.reranking, ask, journal))
    hits = [candidate.hit for candidate in found]
    least = plan.score_threshold
    above = hits if least is None else [hit for hit in hits if hit.score >= least]
    return Retrieval(
        database=database.options.name,
        strategy=strategy.name,
        queries=tuple(texts),
        hits=tuple(above[: plan.top_k]),
        below=len(hits) - len(above),
        repeated=repeated,
        stages=journal.stages,
        notes=journal.notes,
    )


def _check(question: Question) -> None:
    """Refuse what cannot be searched for."""
    texts = [question.text] if question.queries is None else question.queries
    if not texts or not all(text.strip() for text in texts):
        raise RequestError(
            "There is nothing to search for: the question is empty.",
            hint="A question, and each of `rag_queries`, has words.",
            code="empty_question",
            param="messages" if question.queries is None else "rag_queries",
        )
    if question.top_k is not None and question.top_k < 1:
        raise RequestError(
            f"`rag_top_k` is {question.top_k}: at least 1 passage is used.",
            hint="`rag_enabled: false` answers without any.",
            code="invalid_value",
            param="rag_top_k",
        )


def _subject(question: Question) -> str:
    """What passages are to answer."""
    return question.text if question.text.strip() else " ".join(question.queries or ())


async def _texts(question: Question, plan: Plan, embedder: Embedder, ask: AskModel, journal: Journal) -> list[str]:
    """What is searched for: the client's queries, or the question and its wordings; long ones in parts, each once."""
    if question.queries is not None:
        texts = list(question.queries)
    elif plan.is_worded:
        texts = await journal.timed("wordings", wordings(question.text, plan.multi_query, ask, journal))
    else:
        texts = [question.text]
    parts = [await parts_of(text, embedder, journal) for text in texts]
    return list(dict.fromkeys(chain.from_iterable(parts)))


async def _search(
    plan: Plan, queries: Sequence[Query], database: SearchableDatabase, journal: Journal
) -> tuple[list[Candidate], int]:
    """What all queries have found, without repetitions, and how many repetitions were left out.

    Where many passages say the same, it is searched deeper, until there are as many different ones as are wanted, or no
    more in the database.
    """
    method = plan.multi_query.aggregation_method
    weights = weights_of(len(queries), plan.multi_query.query_weights, method)
    depth = plan.depth
    while True:
        rankings = [await plan.search.find(query, depth, plan.where, database, journal) for query in queries]
        found = await aggregate(queries, rankings, method, weights, database, journal)
        new = distinct(found)
        if len(new) >= plan.wanted or max(map(len, rankings)) < depth:
            return new, len(found) - len(new)
        depth *= DEEPER
