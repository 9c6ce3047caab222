"""Whether the sentences of an answer are supported by the sources that they cite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import llamafarm
from llamafarm.wire import RERANK

from llamafarm_rag.answering.sentences import Sentence
from llamafarm_rag.answering.sources import Source
from llamafarm_rag.answering.support import SUPPORTED, support
from llamafarm_rag.retrieval.reranking import shares


class Check(Protocol):
    """Measures how well texts support a sentence."""

    async def flag(self, sentence: str, cited: Sequence[Source]) -> dict[str, Any] | None:
        """What is said of a sentence that is not supported, as JSON; None for one that is. Raises ProviderError."""


class WordCheck:
    """By the words that both have; see `support`."""

    async def flag(self, sentence: str, cited: Sequence[Source]) -> dict[str, Any] | None:
        """See `Check`. The sources that it cites may each support a part of it."""
        measured = support(sentence, "\n".join(source.readable for source in cited))
        if measured.is_enough:
            return None
        return {"score": round(measured.share, 3), "missing": list(measured.missing)}


class RerankCheck:
    """By the score that a reranker of the project gives the best of the cited sources, from 0.5 on."""

    def __init__(self, turn: llamafarm.Turn, model: str) -> None:
        self._turn = turn
        self._model = model

    async def flag(self, sentence: str, cited: Sequence[Source]) -> dict[str, Any] | None:
        """See `Check`."""
        request = {"query": sentence, "documents": [source.readable for source in cited]}
        answer = await self._turn.ask(RERANK, request, model=self._model)
        scores = shares([float(row["relevance_score"]) for row in answer["results"]], "auto")
        best = max(scores, default=0.0)
        return None if best >= SUPPORTED else {"score": round(best, 3), "missing": []}


async def unsupported(sentences: Iterable[Sentence], sources: Sequence[Source], check: Check) -> list[dict[str, Any]]:
    """The sentences that cite what does not support them, each with its place and why, as JSON."""
    flagged = []
    for sentence in sentences:
        cited = [source for source in sources if source.number in sentence.numbers]
        if cited and (why := await check.flag(sentence.text, cited)) is not None:
            numbers = [source.number for source in cited]
            place = {"start": sentence.start, "end": sentence.end}
            flagged.append({"sentence": sentence.text, **place, "numbers": numbers, **why})
    return flagged
