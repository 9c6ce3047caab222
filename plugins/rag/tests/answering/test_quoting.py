"""Answers in the words of the sources."""

from __future__ import annotations

import numpy as np
import pytest
from asked import PORT, barn, hit, streamed, text_of
from llamafarm_kit.testing import ScriptedProvider
from llamafarm_rag.answering.quoting import quotable, quotation
from llamafarm_rag.answering.sources import numbered

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


MILKING = "The cows are milked at five. The barn was built in 1911, of oak. It rained."
FENCE = "Milking takes Ada two hours. The fence is new."


class WordEmbedder:
    """Texts are near where they share words with `milking`."""

    async def vectors(self, texts, purpose):
        rows = np.array([[text.lower().count("milk") + 0.01, 1.0] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def test_the_sentences_nearest_to_the_question_are_the_answer_each_with_its_mark():
    sources = numbered([hit(MILKING), hit(FENCE)])
    answer = await quotation("Who does the milking?", sources, WordEmbedder())
    assert answer == "The cows are milked at five. [1] Milking takes Ada two hours. [2]"


async def test_a_sentence_that_stands_in_two_sources_is_quoted_once():
    sources = numbered([hit(MILKING), hit(MILKING)])
    assert await quotation("When is milking?", sources, WordEmbedder()) == "The cows are milked at five. [1]"


async def test_what_is_about_something_else_is_not_quoted():
    class Nowhere(WordEmbedder):
        async def vectors(self, texts, purpose):
            return np.eye(2, dtype=np.float32)[[int(purpose == "query")] * len(texts)]

    assert await quotation("What is the capital of France?", numbered([hit(FENCE)]), Nowhere()) is None


async def test_a_sentence_of_a_better_passage_goes_first():
    sources = numbered([hit("Milking is done early.", score=0.2), hit("Milking is done at five.", score=0.9)])
    assert await quotation("When is milking?", sources, WordEmbedder()) == "Milking is done at five. [2]"


async def test_what_says_nothing_by_itself_is_not_quoted():
    assert [sentence.text for sentence in quotable(numbered([hit(MILKING)])[0])] == [
        "The cows are milked at five.",
        "The barn was built in 1911, of oak.",
    ]
    assert await quotation("Why?", numbered([hit("No.")]), WordEmbedder()) is None


async def test_a_sentence_is_embedded_below_its_headings():
    [source] = numbered([hit("It takes Ada two hours.", heading=("Milking",))])
    assert quotable(source)[0].embedded == "Milking\nIt takes Ada two hours."


class TestWholeAnswers:
    """The handler with `answer: quote`. The scripted provider embeds texts by their length."""

    OPTIONS = {"answer": "quote"}

    async def test_no_model_is_asked_and_every_sentence_has_its_mark(self, tmp_path):
        async with barn(tmp_path, ScriptedProvider(), hit(PORT), options=self.OPTIONS) as road:
            answer = await road.answer()
            assert {"messages"} not in [request.keys() for request in road.model.requests]
        assert text_of(answer) == f"{PORT} [1]"
        assert [row["cited"] for row in answer["sources"]] == [True]
        assert road.notes["quoted"] is True

    async def test_it_streams_alike(self, tmp_path):
        async with barn(tmp_path, ScriptedProvider(), hit(PORT), options=self.OPTIONS) as road:
            assert streamed(await road.chunks()) == f"{PORT} [1]"

    async def test_marks_of_a_document_are_none_of_ours(self, tmp_path):
        async with barn(
            tmp_path, ScriptedProvider(), hit("See [1] and [99] for the port."), options=self.OPTIONS
        ) as road:
            answer = await road.answer()
        assert text_of(answer) == "See (1) and (99) for the port. [1]"

    async def test_where_nothing_can_be_quoted_it_is_refused(self, tmp_path):
        async with barn(tmp_path, ScriptedProvider(), hit("No."), options=self.OPTIONS) as road:
            answer = await road.answer()
        assert text_of(answer) == "I cannot find an answer to that in the documents."
