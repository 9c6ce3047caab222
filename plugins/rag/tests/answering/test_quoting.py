"""Answers in the words of the sources."""

from __future__ import annotations

import numpy as np
import pytest
from asked import hit
from llamafarm_rag.answering.quoting import quotable, quotation
from llamafarm_rag.answering.sources import numbered

pytestmark = pytest.mark.anyio

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


async def test_what_says_nothing_by_itself_is_not_quoted():
    assert [sentence.text for sentence in quotable(numbered([hit(MILKING)])[0])] == [
        "The cows are milked at five.",
        "The barn was built in 1911, of oak.",
    ]
    assert await quotation("Why?", numbered([hit("No.")]), WordEmbedder()) is None


async def test_a_sentence_is_embedded_below_its_headings():
    [source] = numbered([hit("It takes Ada two hours.", heading=("Milking",))])
    assert quotable(source)[0].embedded == "Milking\nIt takes Ada two hours."
