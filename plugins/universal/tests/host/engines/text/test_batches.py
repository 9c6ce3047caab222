"""Many answers at once: each is what it is alone, whatever room there is and whoever comes and goes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from llamafarm_universal.engine import Failed, Finished, Generate, RequestFailed, Sampling, TextPrompt


def work(seed: int, *, n: int = 1, most: int = 40) -> Generate:
    """A request like no other: its prompt, length and parameters follow from the seed."""
    chance = random.Random(seed)
    prompt = tuple(chance.randrange(5, 250) for _ in range(chance.randrange(1, 60)))
    warm = chance.random() < 0.5
    sampling = Sampling(
        max_tokens=chance.randrange(1, most),
        temperature=chance.choice((0.7, 1.5)) if warm else 0,
        top_p=chance.choice((None, 0.9)),
        frequency_penalty=chance.choice((None, 0.5)),
        seed=seed,
        logprobs=chance.choice((None, 2)),
    )
    return Generate(TextPrompt(prompt), sampling, n)


def test_there_is_room_for_what_was_granted(driven: Callable[..., Any]) -> None:
    assert driven(blocks=50).cache.capacity == 50


def test_sixteen_answers_are_those_that_each_would_be_alone(driven: Callable[..., Any]) -> None:
    model = driven()
    alone = []
    for seed in range(16):
        request_id = model.start(work(seed))
        model.run()
        alone.append(model.answer(request_id))
    model = driven()
    together = [model.start(work(seed)) for seed in range(16)]
    model.run()
    assert [model.answer(request_id) for request_id in together] == alone


def test_where_room_is_short_answers_are_interrupted_and_stay_the_same(driven: Callable[..., Any]) -> None:
    roomy, narrow = driven(), driven(blocks=12, prefill_tokens=16)
    works = [work(seed, most=100) for seed in range(12)]
    answers = []
    for model in (roomy, narrow):
        started = [model.start(each) for each in works]
        model.run()
        answers.append([model.answer(request_id) for request_id in started])
        assert {model.told[request_id][-1].usage.cached_tokens for request_id in started} == {0}, "what was its own"
        assert model.cache.free == model.cache.capacity
    assert answers[0] == answers[1]


def test_a_prompt_is_read_once_for_all_its_answers(driven: Callable[..., Any]) -> None:
    model = driven()
    prompt = TextPrompt(tuple(5 + at % 200 for at in range(100)))
    request_id = model.start(Generate(prompt, Sampling(max_tokens=2, temperature=1.0, seed=1), n=4))
    model.run()
    assert model.read == 100 + 3 * 4 + 4  # the last, incomplete block is read by each; then one token for each
    for index in range(4):
        model.answer(request_id, index)


def test_the_beginning_of_a_conversation_is_read_once(driven: Callable[..., Any]) -> None:
    model = driven()
    start = tuple(5 + at % 200 for at in range(64))
    for more, read, cached in (((7,), 65, 0), ((7, 8, 9), 65 + 3, 64)):
        request_id = model.start(Generate(TextPrompt((*start, *more)), Sampling(max_tokens=1)))
        model.run()
        assert model.read == read
        assert model.told[request_id][-1].usage.cached_tokens == cached


def test_tenants_share_nothing(driven: Callable[..., Any]) -> None:
    model = driven()
    prompt = TextPrompt(tuple(5 + at % 200 for at in range(64)))
    for salt, read in (("one", 64), ("other", 128), ("one", 128 + 16)):
        model.start(Generate(prompt, Sampling(max_tokens=1), cache_salt=salt))
        model.run()
        assert model.read == read


def test_what_an_answer_that_failed_has_read_is_used_by_no_other(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks are wiped: those who come later read the beginning anew, and those beside it keep theirs."""
    same = Generate(TextPrompt(tuple(range(5, 65))), Sampling(max_tokens=12, temperature=0, ignore_eos=True))
    model = driven()
    sound = model.start(same)
    model.run()
    beside = model.start(same)
    model.engine.step()
    broken = model.start(same)
    run = model.engine._runner.run

    def nonsense(readings: Any) -> torch.Tensor:
        logits = run(readings).clone()
        logits[1:] = float("nan")
        return logits

    monkeypatch.setattr(model.engine._runner, "run", nonsense)
    while not isinstance(model.told[broken][-1], Failed):
        model.engine.step()
    monkeypatch.setattr(model.engine._runner, "run", run)
    later = model.start(same)
    model.run()
    assert model.answer(beside) == model.answer(later) == model.answer(sound)


def test_a_request_that_ends_within_a_step_is_not_read_any_further_in_it(
    driven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts are read one after the other, and the first answer of two fails: nobody waits for the second one."""
    model = driven()
    monkeypatch.setattr(model.engine._runner, "reads_together", False)
    request_id = model.start(Generate(TextPrompt((9,) * 20), Sampling(max_tokens=8, seed=1), n=2))
    while model.engine._scheduler.running < 2:
        model.engine.step()
    reads: list[int] = []

    def fail(readings: Any) -> None:
        reads.append(len(readings))
        raise MemoryError

    monkeypatch.setattr(model.engine._runner, "run", fail)
    model.run()
    assert reads == [1]
    assert isinstance(model.told[request_id][-1], Failed)


def test_a_request_that_can_never_fit_is_refused_with_both_lengths(driven: Callable[..., Any]) -> None:
    model = driven(blocks=4)
    for prompt, most, words in ((70, 1, "has 70 tokens; there is memory for 64"), (60, 10, "10 more; there is memory")):
        with pytest.raises(RequestFailed, match=words) as failed:
            model.start(Generate(TextPrompt((7,) * prompt), Sampling(max_tokens=most)))
        assert failed.value.kind == "context_length"
    request_id = model.start(Generate(TextPrompt((7,) * 60), Sampling(temperature=0, ignore_eos=True)))
    model.run()
    assert model.answer(request_id)[2] == 4  # as many as there is room for


def test_whoever_is_cancelled_frees_its_room_at_once(driven: Callable[..., Any]) -> None:
    model = driven()
    staying, going = (model.start(Generate(TextPrompt((9,) * 40), Sampling(max_tokens=30))) for _ in range(2))
    for _ in range(3):
        model.engine.step()
    model.engine.cancel(going)
    told = len(model.told[going])
    model.run()
    assert len(model.told[going]) == told
    assert isinstance(model.told[staying][-1], Finished)
    assert model.cache.free == model.cache.capacity


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_and_goes_nobody_gets_another_ones_answer(driven: Callable[..., Any], seed: int) -> None:
    """Requests of all kinds come at random, some are cancelled at random, in a cache that is too small for them."""
    chance, model, narrow = random.Random(seed), driven(), driven(blocks=20, prefill_tokens=24, max_sequences=8)
    works = [work(chance.randrange(40), n=chance.choice((1, 1, 1, 3))) for _ in range(80)]
    open_requests: list[str] = []
    cancelled: set[str] = set()
    for each in works:
        open_requests.append(narrow.start(each))
        for _ in range(chance.randrange(6)):
            narrow.engine.step()
        if chance.random() < 0.2:
            cancelled.add(gone := chance.choice(open_requests))
            narrow.engine.cancel(gone)
    narrow.run()
    assert narrow.cache.free == narrow.cache.capacity
    for request_id, each in zip(open_requests, works, strict=True):
        if request_id not in cancelled and chance.random() < 0.3:
            alone = model.start(each)
            model.run()
            for index in range(each.n):
                assert narrow.answer(request_id, index) == model.answer(alone, index)
