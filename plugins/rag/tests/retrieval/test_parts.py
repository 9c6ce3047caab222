"""Texts that are longer than the embedder reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.parts import MOST_PARTS, parts_of
from searched import Concepts

pytestmark = pytest.mark.anyio

SENTENCES = "The first one has six words. The second one is as long. "


async def parts(text: str, longest: int | None, journal: Journal | None = None) -> list[str]:
    return await parts_of(text, Concepts(longest_text=longest), journal or Journal())


@pytest.mark.parametrize("longest", [None, 500])
async def test_a_text_that_fits_stays_whole(longest):
    assert await parts(SENTENCES * 4, longest) == [SENTENCES * 4]


async def test_parts_are_of_whole_sentences():
    journal = Journal()
    assert await parts(SENTENCES * 4, 13, journal) == [SENTENCES.strip()] * 4
    assert journal.notes == ("The question has 48 tokens, the embedder reads 13: its parts are searched for.",)


async def test_a_sentence_that_is_too_long_is_cut_between_words():
    found = await parts("word " * 60, 16)
    assert " ".join(found) == ("word " * 60).strip()
    assert all(len(part.split()) <= 16 for part in found)


async def test_of_a_very_long_text_its_beginning_and_its_end_are_searched_for():
    text = " ".join(f"Sentence {number} has five words." for number in range(50))
    journal = Journal()
    found = await parts(text, 5, journal)
    assert len(found) == MOST_PARTS
    assert (found[0], found[-1]) == ("Sentence 0 has five words.", "Sentence 49 has five words.")
    assert "Of its 50 parts" in journal.notes[1]


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="ab .!?\n。", min_size=130, max_size=400))
def test_no_word_of_a_text_is_lost_before_there_are_too_many_parts(text):
    import asyncio

    found = asyncio.run(parts(text, 60))
    if len(found) < MOST_PARTS:
        assert "".join("".join(found).split()) == "".join(text.split())
