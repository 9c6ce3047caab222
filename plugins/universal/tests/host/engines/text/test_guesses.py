"""What is guessed, when it is given up, and that no answer changes by it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from llamafarm_universal.engine import Generate, Sampling, TextPrompt
from llamafarm_universal.host.engines.text.context import Context
from llamafarm_universal.host.engines.text.guesses import Guesses, Lookup


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


def test_guesses_are_made_as_long_as_they_pay() -> None:
    context, guesses = Context([1, 2, 3, 4, 1, 2, 3]), Guesses()
    guesses.observe(1.0, 1, guessed=False)
    for _ in range(100):
        assert guesses.of(context, 4) == (4, 1, 2, 3)
        guesses.observe(1.5, 2, guessed=True)
    for _ in range(100):
        guesses.observe(1.5, 1, guessed=True)
    pause = [guesses.of(context, 4) for _ in range(300)]
    assert pause[0] == ()
    assert pause[-1] == (4, 1, 2, 3)  # tried again after a while


def test_no_more_is_guessed_than_the_answer_may_have() -> None:
    assert Guesses().of(Context([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]), 1) == (4,)


REPEATING = TextPrompt((9, 8, 7, 6, 5) * 12)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 0.7, "top_p": 0.8, "seed": 3}], ids=str)
def test_an_answer_is_the_same_whatever_is_guessed(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """Guesses are made right or wrong at random: the answer itself is known from a run without them."""
    work = Generate(REPEATING, Sampling(max_tokens=60, ignore_eos=True, logprobs=1, **settings))
    monkeypatch.setattr(Guesses, "of", lambda *_: ())
    plain = driven()
    asked = plain.start(work)
    plain.run()
    chance = random.Random(0)

    def guess(_: Guesses, context: Context, most: int) -> tuple[int, ...]:
        coming = plain.chosen[len(context.tokens) - len(REPEATING.text) :]
        return tuple(token if chance.random() < 0.7 else 11 for token in coming[: min(most, 4)])

    monkeypatch.setattr(Guesses, "of", guess)
    model = driven()
    guessed = model.start(work)
    model.run()
    assert model.answer(guessed) == plain.answer(asked)
    assert model.chosen == plain.chosen
    assert model.steps < plain.steps / 1.5
    assert model.cache.free == model.cache.capacity


def test_where_the_cache_is_full_nothing_is_guessed(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guesses, "of", lambda *_: (5, 5, 5, 5))
    model = driven(blocks=4)
    work = Generate(TextPrompt((9,) * 40), Sampling(max_tokens=24, temperature=0, ignore_eos=True))
    asked = model.start(work)
    model.run()
    assert model.answer(asked)[1:] == ("length", 24)
