"""How much of what was found a model is sent."""

from __future__ import annotations

import pytest
from asked import PORT, QUESTION, CountingCow, Cow, barn, hit
from llamafarm.errors import ProviderUnavailable, RequestError
from llamafarm_rag.answering.context import ASSUMED_LENGTH
from llamafarm_rag.answering.token_meter import estimated

pytestmark = pytest.mark.anyio
TEN = "one two three four five six seven eight nine ten"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def words(road):
    """How many tokens the counting model was sent."""
    return sum(len(message["content"].split()) for message in road.sent)


async def test_all_hits_are_sent_where_there_is_room(tmp_path):
    async with barn(tmp_path, CountingCow(context_length=1000), *[TEN] * 10) as road:
        await road.answer()
    assert (road.notes["used"], road.notes["left_out"], road.notes["cut"]) == (10, 0, False)
    assert road.notes["counted"] == "by the runtime"
    assert road.model.counted[-1] == words(road)
    assert len(road.model.counted) == 2


@pytest.mark.parametrize(("length", "used"), [(400, 10), (260, 8), (200, 4), (160, 1)])
async def test_hits_that_have_no_room_are_left_out_from_the_last_one_on(length, used, tmp_path):
    async with barn(tmp_path, CountingCow(context_length=length), *[f"{TEN}." for _ in range(10)]) as road:
        answer = await road.answer(max_tokens=40)
    assert (len(answer["sources"]), road.notes["used"], road.notes["left_out"]) == (used, used, 10 - used)
    assert words(road) <= length - 40
    assert road.notes["tokens"] <= length // 2


async def test_sources_take_no_more_than_their_share(tmp_path):
    async with barn(tmp_path, CountingCow(context_length=1000), *[TEN] * 30, options={"context_share": 0.1}) as road:
        await road.answer()
    assert 80 < road.notes["tokens"] <= 100


async def test_the_first_hit_is_cut_at_a_sentence_where_all_of_it_has_no_room(tmp_path):
    text = " ".join(f"Sentence {number} has five words." for number in range(100))
    found = hit(text, start=1000, end=1000 + len(text))
    async with barn(tmp_path, CountingCow(context_length=400), found, found) as road:
        answer = await road.answer()
    [source] = answer["sources"]
    assert source["text"].endswith(" has five words.")
    assert text.startswith(source["text"])
    assert (source["start"], source["end"]) == (1000, 1000 + len(source["text"]))
    assert source["text"] in road.sent[-1]["content"]
    assert (road.notes["cut"], road.notes["left_out"]) == (True, 1)
    assert 150 < words(road) <= 300


async def test_a_text_without_sentences_is_cut_at_a_word(tmp_path):
    async with barn(tmp_path, CountingCow(context_length=400), "word " * 5000) as road:
        answer = await road.answer()
    assert answer["sources"][0]["text"].endswith("word")


async def test_where_the_conversation_leaves_no_room_that_is_an_error(tmp_path):
    async with barn(tmp_path, CountingCow(context_length=100)) as road:
        with pytest.raises(RequestError, match="leaves no room for sources") as raised:
            await road.answer("word " * 200)
    assert (raised.value.code, raised.value.status) == ("context_length_exceeded", 400)
    assert road.model.requests == []


async def test_the_answer_keeps_its_room(tmp_path):
    async with barn(tmp_path, CountingCow(context_length=1000), *[TEN] * 90, options={"context_share": 1}) as road:
        await road.answer(max_tokens=600)
        assert 300 < words(road) <= 400
        await road.answer(max_completion_tokens=100)
        assert 800 < words(road) <= 900
        await road.answer(max_tokens=100_000)  # more than the model has: half of it is kept
        assert 400 < words(road) <= 500
        await road.answer()
        assert 650 < words(road) <= 750


async def test_a_model_that_says_nothing_of_itself_is_taken_for_a_small_one_and_its_tokens_are_estimated(tmp_path):
    async with barn(tmp_path, Cow(), *["word " * 500] * 20) as road:
        await road.answer()
    assert (road.notes["context_length"], road.notes["counted"]) == (None, "estimated")
    assert ASSUMED_LENGTH // 4 < road.notes["tokens"] <= ASSUMED_LENGTH // 2


async def test_a_runtime_that_fails_to_count_is_asked_all_the_same(tmp_path):
    model = CountingCow(context_length=4096, counts=ProviderUnavailable("It is busy."))
    async with barn(tmp_path, model) as road:
        await road.answer()
    assert (road.notes["counted"], road.notes["not_counted"]) == ("estimated", "It is busy.")
    assert PORT in road.sent[-1]["content"]


async def test_a_huge_hit_is_not_measured_again_and_again(tmp_path):
    model = CountingCow(context_length=1000)
    async with barn(tmp_path, model, "A sentence of many words. " * 40_000) as road:
        await road.answer()
    assert len(model.counted) < 20
    assert max(model.counted) < 24_000


def test_tokens_are_estimated_rather_too_many():
    text = {"role": "user", "content": "The Universal Runtime listens on port 11540."}
    assert estimated([text]) == 8 + 15
    assert estimated([{"role": "user", "content": [{"type": "text", "text": "abc"}, {"type": "image_url"}]}]) == 1009
    assert estimated([{"role": "assistant", "content": None}]) == 8
    assert estimated([{"role": "user", "content": QUESTION}] * 2) == 2 * (8 + 13)
