"""What several queries have found, in one order."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_rag.config.retrieval import Aggregation
from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.retrieval.candidates import QUERIES, SIMILARITY, Candidate, ordered
from llamafarm_rag.retrieval.fusion import fused
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import Query

OTHERS_WEIGHT = 0.5
"""What a wording counts beside the question, which alone is what was asked."""


async def aggregate(
    queries: Sequence[Query],
    rankings: Sequence[Sequence[Candidate]],
    method: Aggregation,
    weights: Sequence[float],
    database: SearchableDatabase,
    journal: Journal,
) -> list[Candidate]:
    """One order of the passages that several queries have found; that of a single query as it is.

    weights: one for each query; `max` and `mean` do not look at them. A score of a stage is the highest of all
    queries'; `queries` is what the order is made by. Raises DatabaseError.
    """
    if len(rankings) == 1:
        return list(rankings[0])
    found = _highest(rankings)
    if method == "reciprocal_rank":
        pairs = zip(rankings, weights, strict=True)
        scores = fused([dict.fromkeys((each.passage.id for each in ranking), weight) for ranking, weight in pairs])
    elif method == "max":
        scores = {id_: each.scores[SIMILARITY] for id_, each in found.items()}
    else:
        shares = weights if method == "weighted" else [1.0] * len(queries)
        scores = await _mean(queries, rankings, shares, list(found), database, journal)
    return ordered((each.scored(QUERIES, scores[id_]) for id_, each in found.items() if id_ in scores), QUERIES)


def weights_of(count: int, given: Sequence[float] | None, method: Aggregation) -> list[float]:
    """How much each of so many queries counts, the first of which is the question."""
    if given is not None:
        return [*given, *[given[-1]] * count][:count]
    return [1.0, *[OTHERS_WEIGHT if method == "weighted" else 1.0] * count][:count]


def _highest(rankings: Sequence[Sequence[Candidate]]) -> dict[str, Candidate]:
    """Each passage once, by its id, with the highest score of each stage and the best place in each search."""
    found: dict[str, Candidate] = {}
    for each in (each for ranking in rankings for each in ranking):
        before = found.get(each.passage.id)
        scores, places = ({}, {}) if before is None else (before.scores, before.places)
        highest = {stage: max(score, scores.get(stage, score)) for stage, score in each.scores.items()}
        first = {search: min(place, places.get(search, place)) for search, place in each.places.items()}
        found[each.passage.id] = Candidate(each.passage, {**scores, **highest}, {**places, **first})
    return found


async def _mean(
    queries: Sequence[Query],
    rankings: Sequence[Sequence[Candidate]],
    weights: Sequence[float],
    ids: Sequence[str],
    database: SearchableDatabase,
    journal: Journal,
) -> dict[str, float]:
    """The weighted mean of each passage's similarities to all queries, also to those that have not found it.

    A passage that the database no longer has, is absent.
    """
    sums = dict.fromkeys(ids, 0.0)
    for query, ranking, weight in zip(queries, rankings, weights, strict=True):
        known = {each.passage.id: each.scores[SIMILARITY] for each in ranking}
        missing = [id_ for id_ in ids if id_ not in known]
        if missing:
            known |= await journal.timed("similarities", database.similarities(query.vector, missing))
        sums = {id_: total + weight * known[id_] for id_, total in sums.items() if id_ in known}
    return {id_: total / sum(weights) for id_, total in sums.items()}
