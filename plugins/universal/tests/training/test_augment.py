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
