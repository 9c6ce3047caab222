"""Whose guesses are taken, when they are given up, and that no answer changes by them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

import pytest
from llamafarm_universal.engine import Generate, Sampling, TextPrompt
from llamafarm_universal.host.engines.text.guesses import PAUSE, TRIES, Guesses
from llamafarm_universal.host.engines.text.prompt_lookup import PromptLookup
from llamafarm_universal.host.engines.text.sequence import Sequence

ANSWER = cast("Sequence", None)  # these guessers look at none


class Fixed:
    """Always has the same guess."""

    def __init__(self, *guess: int, method: str = "fixed") -> None:
        self.method = method
        self.tokens = guess

    def guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        return self.tokens[:most]


def take(guesses: Guesses, seconds: dict[tuple[int, ...], float], tokens: int = 1) -> tuple[int, ...]:
    """A step: what was guessed. seconds: for each guess, what the step takes; whatever is guessed gives `tokens`."""
    guess = guesses.of(ANSWER, 4)
    guesses.observe(seconds[guess], tokens if guess else 1, len(guess))
    return guess


def test_guesses_are_made_as_long_as_they_pay() -> None:
    guesses = Guesses(Fixed(4, 5))
    pays = [take(guesses, {(): 1.0, (4, 5): 1.5}, tokens=2) for _ in range(100)]
    assert pays.count((4, 5)) > 90
    fails = [take(guesses, {(): 1.0, (4, 5): 1.5}, tokens=1) for _ in range(100)]
    assert fails[-1] == ()
    pause = [take(guesses, {(): 1.0, (4, 5): 1.5}, tokens=2) for _ in range(PAUSE)]
    assert pause[-1] == (4, 5)  # tried again after a while


def test_some_steps_are_without_guesses_so_that_there_is_something_to_compare_with() -> None:
    guesses = Guesses(Fixed(4))
    steps = [take(guesses, {(): 1.0, (4,): 1.0}, tokens=2) for _ in range(3 * (TRIES + 1))]
    assert steps == [(), *[(4,)] * TRIES] * 3


def test_what_counts_is_the_time_of_all_tokens_and_not_the_mean_of_steps() -> None:
    """One guess in four is right, and gives five tokens: eight come in the time of six."""
    guesses, right = Guesses(Fixed(4)), [5, 1, 1, 1] * 40
    taken = [take(guesses, {(): 1.0, (4,): 1.5}, tokens=tokens) for tokens in right]
    assert taken.count((4,)) > 140


def test_the_first_who_has_a_guess_is_asked() -> None:
    guesses = Guesses(Fixed(method="none"), Fixed(1, method="first"), Fixed(2, method="second"))
    assert take(guesses, {(): 1.0}) == ()
    assert take(guesses, {(1,): 1.0}, tokens=2) == (1,)


def test_who_is_slower_than_the_one_behind_it_rests_though_it_pays() -> None:
    """The second is known from steps in which the first has no guess."""
    first, seconds = Fixed(), {(): 1.0, (1,): 1.4, (2,): 1.0}
    guesses = Guesses(first, Fixed(2))
    for _ in range(40):
        take(guesses, seconds, tokens=2)
    first.tokens = (1,)
    steps = [take(guesses, seconds, tokens=2) for _ in range(60)]
    assert steps[1] == (1,)
    assert set(steps[-TRIES:]) == {(), (2,)}


def test_one_that_fails_is_asked_no_more(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Fixed):
        def guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
            raise RuntimeError("out of order")

    guesses = Guesses(Broken(method="broken"), Fixed(2))
    assert [take(guesses, {(): 1.0, (2,): 1.0}) for _ in range(3)] == [(), (2,), (2,)]
    [record] = caplog.records
    assert "broken" in record.message


def test_what_was_guessed_and_what_was_right_is_counted_by_method() -> None:
    counted: list[tuple[str, int, int]] = []
    guesses = Guesses(Fixed(1, 2, method="ngram"), count=lambda *told: counted.append(told))
    take(guesses, {(): 1.0})
    take(guesses, {(1, 2): 1.0}, tokens=3)
    take(guesses, {(1, 2): 1.0}, tokens=1)
    assert counted == [("ngram", 2, 2), ("ngram", 2, 0)]


def test_no_more_is_guessed_than_the_answer_may_have() -> None:
    guesses = Guesses(Fixed(4, 5, 6))
    guesses.observe(1.0, 1, 0)
    assert guesses.of(ANSWER, 1) == (4,)
    assert guesses.of(ANSWER, 0) == ()


REPEATING = TextPrompt((9, 8, 7, 6, 5) * 12)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 0.7, "top_p": 0.8, "seed": 3}], ids=str)
def test_an_answer_is_the_same_whatever_is_guessed(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """Guesses are made right or wrong at random: the answer itself is known from a run without them."""
    work = Generate(REPEATING, Sampling(max_tokens=60, ignore_eos=True, logprobs=1, **settings))
    monkeypatch.setattr(PromptLookup, "guess", lambda *_: ())
    plain = driven()
    asked = plain.start(work)
    plain.run()
    chance = random.Random(0)

    def guess(_: PromptLookup, sequence: Sequence, most: int) -> tuple[int, ...]:
        coming = plain.chosen[len(sequence.context.tokens) - len(REPEATING.text) :]
        return tuple(token if chance.random() < 0.7 else 11 for token in coming[: min(most, 4)])

    monkeypatch.setattr(PromptLookup, "guess", guess)
    model = driven()
    guessed = model.start(work)
    model.run()
    assert model.answer(guessed) == plain.answer(asked)
    assert model.chosen == plain.chosen
    assert model.steps < plain.steps / 1.5
    assert model.cache.free == model.cache.capacity


def test_an_answer_does_not_end_for_a_step_that_fails_with_its_guesses(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that there is no memory for. It is tried again after a while only."""
    monkeypatch.setattr(PromptLookup, "guess", lambda *_: ())
    model = driven()
    work = Generate(REPEATING, Sampling(max_tokens=60, ignore_eos=True, temperature=0))
    plain = model.start(work)
    model.run()
    monkeypatch.setattr(PromptLookup, "guess", lambda _, _sequence, most: (5, 5)[:most])
    run, failed = model.engine._runner.run, []

    def short_of_memory(readings: Any) -> Any:
        if readings[0].guess:
            failed.append(readings[0].guess)
            raise MemoryError
        return run(readings)

    monkeypatch.setattr(model.engine._runner, "run", short_of_memory)
    guessed = model.start(work)
    model.run()
    assert model.answer(guessed) == model.answer(plain)
    assert failed == [(5, 5)]


def test_where_the_cache_is_full_nothing_is_guessed(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PromptLookup, "guess", lambda *_: (5, 5, 5, 5))
    model = driven(blocks=4)
    work = Generate(TextPrompt((9,) * 40), Sampling(max_tokens=24, temperature=0, ignore_eos=True))
    asked = model.start(work)
    model.run()
    assert model.answer(asked)[1:] == ("length", 24)
