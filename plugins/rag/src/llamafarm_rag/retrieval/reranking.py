"""Passages in the order in which a reranker, which reads question and passage together, finds them fitting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from llamafarm.wire import RERANK as RERANKING

from llamafarm_rag.config.retrieval import RerankedConfig
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.retrieval.candidates import RERANK, Candidate, ordered
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import AskModel

Scale = Literal["auto", "probability", "cosine", "logit"]


async def reranked(
    question: str, candidates: Sequence[Candidate], config: RerankedConfig, ask: AskModel, journal: Journal
) -> list[Candidate]:
    """Candidates with the reranker's score, the best first. Raises what asking raises.

    One that the reranker says nothing of is left out, and that is noted.
    """
    if not candidates:
        return []
    request = {"query": question, "documents": [readable(each.passage) for each in candidates]}
    answer = await ask(RERANKING, request, model=config.model)
    rows = {row["index"]: float(row["relevance_score"]) for row in answer["results"]}
    if left_out := len(candidates) - len(rows):
        journal.note(f"The reranker {config.model!r} has put {left_out} of {len(candidates)} passages in no order.")
    scores = dict(zip(rows, shares(list(rows.values()), config.score_scale), strict=True))
    return ordered((candidates[index].scored(RERANK, score) for index, score in scores.items()), RERANK)


def readable(passage: Passage) -> str:
    """A passage as a model reads it: below its headings, which say what it is about."""
    return f"{' > '.join(passage.heading)}\n\n{passage.text}" if passage.heading else passage.text


def shares(scores: Sequence[float], scale: Scale) -> list[float]:
    """Scores of a reranker as numbers from 0 to 1, in the same order.

    Rerankers differ: Cohere, Jina, vLLM and the Universal Runtime's cross-encoders answer with probabilities, llama.cpp
    and servers on top of it with logits, and models that compare vectors with cosines. `auto` tells them by the range
    of one answer's scores.
    """
    scale = _scale_of(scores) if scale == "auto" else scale
    return [_sigmoid(score) if scale == "logit" else min(max(score, 0.0), 1.0) for score in scores]


def _scale_of(scores: Sequence[float]) -> Scale:
    return "logit" if any(abs(score) > 1 for score in scores) else "cosine"


def _sigmoid(logit: float) -> float:
    """1 / (1 + e^-x), without an overflow."""
    power = math.exp(-abs(logit))
    return 1 / (1 + power) if logit >= 0 else power / (1 + power)
