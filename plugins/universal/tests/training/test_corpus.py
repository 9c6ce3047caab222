from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterable
from functools import cache

import pytest
from training import slots
from training.corpus import FOLDER, Corpus, CorpusError, HeldOut, duplicates, load_corpus, load_held_out, normalise


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    return load_held_out()


def drawn_from(template: str, definitions: slots.Values, texts: Iterable[str]) -> list[str]:
    """Those of the texts that the template gives, filled with listed values, after normalisation."""
    pieces = [_pattern(piece, definitions) for piece in re.split(r"(\{[a-z_]+\})", template)]
    # Compiled here: there are more templates than re's own cache holds, each with hundreds of values.
    pattern = re.compile(" ?".join(pieces))
    return [text for text in texts if pattern.fullmatch(normalise(text))]


def _pattern(piece: str, definitions: slots.Values) -> str:
    slot = slots.PLACE.fullmatch(piece)
    if not slot:
        return re.escape(normalise(piece))
    values = definitions[slot[1]]
    return _one_of(tuple(map(str, values))) if isinstance(values, list) else r"\d+"


@cache
def _one_of(values: tuple[str, ...]) -> str:
    return f"({'|'.join(re.escape(normalise(value)) for value in values)})"


def test_there_are_at_least_four_hundred_topics_with_several_phrasings_each(corpus):
    assert len(corpus.topics) >= 400
    assert min(len(topic.questions) for topic in corpus.topics.values()) >= 4


def test_no_two_topics_have_the_same_answer(corpus):
    assert duplicates(topic.answer for topic in corpus.topics.values()) == []


def test_every_template_of_the_corpus_can_be_filled(corpus):
    rng = random.Random(0)
    for tool in corpus.tools:
        for request in tool.requests:
            chosen = slots.draw(tool.slots, slots.names([request, tool.call, tool.result, tool.answer]), rng)
            filled = slots.fill([request, tool.call, tool.result, tool.answer], chosen)
            assert slots.names(filled) == set()


def test_a_question_that_two_topics_claim_is_refused(tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(FOLDER, folder)
    (folder / "product-extra.yaml").write_text(
        "topics:\n  - {id: again, answer: No., questions: ['what is llamafarm']}\n", encoding="utf-8"
    )
    with pytest.raises(CorpusError, match=r"'what is llamafarm' \(again\)"):
        load_corpus(folder)


def test_the_held_out_list_covers_a_topic_with_each_question(corpus, held_out):
    topics = [topic for topic, _ in held_out.questions]
    assert len(set(topics)) == len(topics) >= 60
    assert set(topics) <= set(corpus.topics)
    assert len(held_out.tool_requests) == 20
    assert len(held_out.unknown) >= 20


def test_no_held_out_question_equals_a_training_phrasing(corpus, held_out):
    trained = {normalise(question) for topic in corpus.topics.values() for question in topic.questions}
    for conversation in corpus.conversations:
        trained |= {normalise(text) for turn in conversation.turns for text in turn.get("user", [])}
    assert trained & {normalise(question) for _, question in held_out.questions} == set()


def test_no_held_out_unknown_question_can_be_drawn_in_training(corpus, held_out):
    for unknown in corpus.unknown.values():
        for template in unknown.questions:
            assert drawn_from(template, unknown.slots, held_out.unknown) == [], template


def test_no_held_out_tool_request_can_be_drawn_in_training(corpus, held_out):
    requests = [item["request"] for item in held_out.tool_requests]
    for tool in corpus.tools:
        for template in tool.requests:
            assert drawn_from(template, tool.slots, requests) == [], template


def test_the_check_for_drawn_texts_sees_through_slots():
    texts = ["what is the weather in new york", "What is the weather in Rome?"]
    assert drawn_from("What is the weather in {city}?", {"city": ["New York"]}, texts) == texts[:1]
    assert drawn_from("{a} + {b}", {"a": {"range": [1, 99]}, "b": {"range": [1, 99]}}, ["12 + 5"]) == ["12 + 5"]


@pytest.mark.parametrize("text", ["What's LlamaFarm?", "  whats   llamafarm ", "WHATS LLAMAFARM!!"])
def test_normalisation_leaves_letters_and_digits(text):
    assert normalise(text) == "whats llamafarm"
