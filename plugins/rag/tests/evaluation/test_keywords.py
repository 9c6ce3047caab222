"""Key words in answers."""

from __future__ import annotations

import pytest
from llamafarm_rag.evaluation.keywords import has_key_words, words_of


def test_words_and_numbers_lose_what_stands_beside_them():
    assert words_of("It cost **41,250 Euros**, at 38°C [1].") == ["it", "cost", "41,250", "euros", "at", "38", "c", "1"]


@pytest.mark.parametrize(
    ("answer", "alternatives", "has_them"),
    [
        ("The lamp: the FLAME went out, no fire.", ("no flame",), True),
        ("The flame is on.", ("no flame", "flame on"), True),
        ("The flame is on.", ("no flame",), False),
        ("It is 1390.00 euros.", ("1390.00",), True),
        ("It is 1390 euros.", ("1390.00",), False),
        ("Anything", ("?",), False),
        ("Anything", (), False),
    ],
)
def test_all_words_of_one_alternative_are_enough(answer, alternatives, has_them):
    assert has_key_words(answer, alternatives) is has_them
