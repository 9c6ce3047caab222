"""Keys, and how models say them."""

from __future__ import annotations

import pytest
from llamafarm_agents.classifier.keys import key_in, keyed

ANIMALS = keyed(["cows", "pigs", "Hens & eggs"])


def test_each_label_has_a_key_of_one_character():
    assert ANIMALS == {"A": "cows", "B": "pigs", "C": "Hens & eggs"}


def test_marks_are_their_own_keys():
    assert keyed(["5", "1", "3"]) == {"5": "5", "1": "1", "3": "3"}


@pytest.mark.parametrize(
    "text",
    ['{"key": "B"}', '{"key":\n"B"}', "B", " B\n", '"B"', "**B**", "B.", "B) pigs", "B: pigs", "B - because of pigs",
     "(B)", "b", "pigs", "Pigs.", '{"key": "pigs"}', "**B**: pigs"],
)  # fmt: skip
def test_a_key_is_read_however_models_write_it(text):
    assert key_in(text, ANIMALS) == "B"


@pytest.mark.parametrize(
    "text", ["", "A cow says so.", "A or B", "D", "None of them.", '{"key": null}', "[]", "pigs and cows"]
)
def test_what_is_not_sure_is_no_key(text):
    assert key_in(text, ANIMALS) is None
