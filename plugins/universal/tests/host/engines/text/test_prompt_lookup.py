"""What is guessed from a text's own repetitions."""

from __future__ import annotations

import random

import pytest
from llamafarm_universal.host.engines.text.prompt_lookup import Lookup


def test_what_came_after_the_same_three_tokens_may_come_again() -> None:
    assert Lookup().guess([1, 2, 3, 4, 5, 6, 9, 1, 2, 3], 4) == (4, 5, 6, 9)
    assert Lookup().guess([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], 2) == (5, 1)  # as it was the last time
    assert Lookup().guess([1, 2, 3, 4, 5], 4) == ()
    assert Lookup().guess([1, 2], 4) == ()
    assert Lookup().guess([7, 7, 7, 7], 0) == ()


@pytest.mark.parametrize("seed", range(5))
def test_a_text_that_grows_is_looked_up_like_one_that_is_there(seed: int) -> None:
    chance, lookup, tokens = random.Random(seed), Lookup(), [1, 2, 3]
    for _ in range(200):
        tokens += chance.choices(range(3), k=chance.randrange(1, 4))
        assert lookup.guess(tokens, 4) == Lookup().guess(tokens, 4)
