"""Sentences checked by a reranker of the project."""

from __future__ import annotations

import pytest
from asked import CountingCow, barn, text_of
from llamafarm.errors import ProviderUnavailable

pytestmark = pytest.mark.anyio
SAID = "The runtime listens on port 11540 [1]. Cows eat grass [1][2]. Nobody says so."


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Ranking(CountingCow):
    """A model that reranks: what holds a word of the query scores high. asked: the requests."""

    def __init__(self, *script, error=None):
        super().__init__(*script, context_length=4096)
        self.asked = []
        self._error = error

    async def rerank(self, request, call):
        self.asked.append((request["query"], len(request["documents"])))
        if self._error:
            raise self._error
        scores = [0.9 if "port" in request["query"] else 0.2 for _ in request["documents"]]
        return {"results": [{"index": at, "relevance_score": score} for at, score in enumerate(scores)]}


async def test_the_best_of_the_cited_sources_decides(tmp_path):
    model = Ranking(SAID)
    options = {"verify": "quote", "verify_model": "cow"}
    async with barn(tmp_path, model, options=options) as road:
        answer = await road.answer()
    assert model.asked == [("The runtime listens on port 11540.", 1), ("Cows eat grass.", 2)]
    [flagged] = answer["citations"]["unsupported"]
    assert (flagged["sentence"], flagged["numbers"], flagged["score"]) == ("Cows eat grass.", [1, 2], 0.2)
    assert text_of(answer)[flagged["start"] : flagged["end"]] == "Cows eat grass [1][2]."


async def test_a_reranker_that_fails_leaves_the_answer_and_says_so(tmp_path):
    options = {"verify": "quote", "verify_model": "cow"}
    async with barn(tmp_path, Ranking(SAID, error=ProviderUnavailable("It is down.")), options=options) as road:
        answer = await road.answer()
    assert text_of(answer) == SAID
    assert answer["citations"]["problem"] == "The sentences could not be checked. It is down."
