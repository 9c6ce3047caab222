from __future__ import annotations

import random

from training import augment
from training.corpus import normalise

QUESTION = "How do I change the port of the server?"


def test_the_same_seed_gives_the_same_variation():
    assert augment.vary(QUESTION, random.Random(5)) == augment.vary(QUESTION, random.Random(5))


def test_variations_differ_and_some_leave_the_question_as_it_is():
    varied = {augment.vary(QUESTION, random.Random(seed)) for seed in range(200)}
    assert QUESTION in varied
    assert len(varied) > 100


def test_a_word_alone_is_never_dropped():
    for seed in range(200):
        assert normalise(augment.vary("Temperature?", random.Random(seed)))


def test_a_light_variation_keeps_every_word_in_order():
    for seed in range(200):
        assert QUESTION.rstrip("?") in augment.vary_lightly(QUESTION, random.Random(seed))


def test_what_something_is_may_be_asked_in_another_form():
    varied = {normalise(augment.vary("What is the KV cache?", random.Random(seed))) for seed in range(300)}
    assert {"explain the kv cache", "the kv cache meaning"} <= varied


def test_other_questions_keep_their_form():
    for seed in range(100):
        assert "meaning" not in augment.vary("Where do I find the log?", random.Random(seed))


def test_words_give_way_to_their_synonyms():
    varied = " ".join(augment.vary("How do I delete a folder?", random.Random(seed)) for seed in range(200)).lower()
    assert {"remove", "erase", "directory"} <= set(varied.split())


def test_no_word_is_its_own_synonym_and_none_stands_twice_in_a_group():
    for group in augment.SYNONYMS:
        assert len(group) > 1
        assert len({member.lower() for member in group}) == len(group), group
