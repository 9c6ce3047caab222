"""Several orders of passages made one: reciprocal rank fusion.

Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods" (2009). It needs no common scale of scores.
"""

from __future__ import annotations

from collections.abc import Sequence

RANK_CONSTANT = 60


def fused(
    rankings: Sequence[Sequence[str]], weights: Sequence[float], constant: int = RANK_CONSTANT
) -> dict[str, float]:
    """The score of each id: the sum of `weight / (constant + rank)` over the rankings that have it, best rank 1."""
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, id_ in enumerate(ranking, 1):
            scores[id_] = scores.get(id_, 0.0) + weight / (constant + rank)
    return scores
