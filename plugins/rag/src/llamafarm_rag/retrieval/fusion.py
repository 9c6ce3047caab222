"""Several orders of passages made one: reciprocal rank fusion.

Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods" (2009). It needs no common scale of scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RANK_CONSTANT = 10
"""The paper's 60 is for rankings of a thousand; of the thirty that are fused here it would make all nearly alike."""


def fused(rankings: Sequence[Mapping[str, float]], constant: int = RANK_CONSTANT) -> dict[str, float]:
    """The score of each id: the sum of `weight / (constant + rank)` over the rankings that have it, best rank 1.

    rankings: ids in order, each with its weight in that ranking.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, (id_, weight) in enumerate(ranking.items(), 1):
            scores[id_] = scores.get(id_, 0.0) + weight / (constant + rank)
    return scores
