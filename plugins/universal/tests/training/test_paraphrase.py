from __future__ import annotations

from dataclasses import replace

import pytest
from training.corpus import load_corpus, normalise
from training.paraphrase import DECLINED, Encoder, paraphrases

TOPICS = ("what-is-llamafarm", "price", "kv-cache", "lf-init")


@pytest.fixture(scope="module")
def corpus():
    whole = load_corpus()
    unknown = dict(list(whole.unknown.items())[:2])
    return replace(whole, topics={name: whole.topics[name] for name in TOPICS}, unknown=unknown)


@pytest.fixture(scope="module")
def teacher():
    return Encoder(step=8)  # its whole vocabulary takes half a minute


@pytest.fixture(scope="module")
def found(corpus, teacher):
    return paraphrases(corpus, seed=1, teacher=teacher)


def test_most_topics_get_questions_with_words_that_the_corpus_lacks(corpus, found):
    assert {*TOPICS, DECLINED} == set(found)
    for name in TOPICS:
        known = {word for question in corpus.topics[name].questions for word in normalise(question).split()}
        assert {word for question in found[name] for word in normalise(question).split()} - known, name


def test_no_question_is_found_for_two_topics(found):
    texts = [normalise(text) for topic, texts in found.items() if topic != DECLINED for text in texts]
    twice = len(texts) - len(set(texts))
    assert twice <= len(texts) // 100


def test_what_must_never_be_asked_is_left_out(corpus, teacher, found):
    text = found["price"][0]
    again = paraphrases(corpus, seed=1, never={normalise(text)}, teacher=teacher)
    assert text not in again["price"]
    assert {topic: texts for topic, texts in again.items() if topic != "price"} == {
        topic: texts for topic, texts in found.items() if topic != "price"
    }
