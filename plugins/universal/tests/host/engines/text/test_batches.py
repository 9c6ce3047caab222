"""Many answers at once: each is what it is alone, whatever room there is and whoever comes and goes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.engine import Finished, Generate, Piece, RequestFailed, Result, Sampling, TextPrompt, Work
from llamafarm_universal.host.engines.text.engine import TextEngine
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan

BLOCK_BYTES = 16 * 2 * 2 * 2 * 16 * 4
"""Of the small Llama: tokens, layers, keys and values, heads, size, bytes of a number."""


@dataclass
class Driven:
    """An engine that is driven by hand. told: what each request was told. read: tokens that the model has read."""

    engine: TextEngine
    told: dict[str, list[Result]] = field(default_factory=dict)
    read: int = 0

    def __post_init__(self) -> None:
        runner = self.engine._runner
        run = runner.run

        def counted(readings: Any) -> Any:
            self.read += sum(reading.count for reading in readings)
            return run(readings)

        runner.run = counted  # type: ignore[method-assign]

    def start(self, work: Work) -> str:
        request_id = f"request-{len(self.told)}"
        events = self.told.setdefault(request_id, [])
        self.engine.submit(request_id, work, self.engine.prepare(work), events.append)
        return request_id

    def run(self, most: int = 10_000) -> int:
        """Steps until nothing is left to do."""
        for count in range(1, most):
            if not self.engine.step():
                return count
        raise AssertionError("It never ends.")

    def answer(self, request_id: str, index: int = 0) -> tuple[str, str | None, int]:
        """An answer's text, why it has ended, and its tokens."""
        events = self.told[request_id]
        text = "".join(event.text for event in events if isinstance(event, Piece) and event.index == index)
        [end] = [event for event in events if isinstance(event, Finished) and event.index == index]
        return text, end.reason, end.usage.completion_tokens

    @property
    def cache(self) -> Any:
        return self.engine._cache


@pytest.fixture
def driven(llama_folder: Path) -> Callable[..., Driven]:
    """Load the small Llama. blocks: of its cache."""

    def load(blocks: int = 200, **limits: Any) -> Driven:
        ref = ModelRef(str(llama_folder), LoadSettings(device="cpu", dtype="fp32"))
        plan = make_plan(ref, llama_folder, Machine(), Limits(**limits))
        return Driven(TextEngine.load(plan, blocks * BLOCK_BYTES))

    return load


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


def test_there_is_room_for_what_was_granted(driven: Callable[..., Driven]) -> None:
    assert driven(blocks=50).cache.capacity == 50


def test_sixteen_answers_are_those_that_each_would_be_alone(driven: Callable[..., Driven]) -> None:
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


def test_where_room_is_short_answers_are_interrupted_and_stay_the_same(driven: Callable[..., Driven]) -> None:
    roomy, narrow = driven(), driven(blocks=12, prefill_tokens=16)
    works = [work(seed, most=100) for seed in range(12)]
    answers = []
    for model in (roomy, narrow):
        started = [model.start(each) for each in works]
        model.run()
        answers.append([model.answer(request_id) for request_id in started])
        assert model.cache.free == model.cache.capacity
    assert answers[0] == answers[1]


def test_a_prompt_is_read_once_for_all_its_answers(driven: Callable[..., Driven]) -> None:
    model = driven()
    prompt = TextPrompt(tuple(5 + at % 200 for at in range(100)))
    request_id = model.start(Generate(prompt, Sampling(max_tokens=2, temperature=1.0, seed=1), n=4))
    model.run()
    assert model.read == 100 + 3 * 4 + 4  # the last, incomplete block is read by each; then one token for each
    for index in range(4):
        model.answer(request_id, index)


def test_the_beginning_of_a_conversation_is_read_once(driven: Callable[..., Driven]) -> None:
    model = driven()
    start = tuple(5 + at % 200 for at in range(64))
    for more, read in (((7,), 65), ((7, 8, 9), 65 + 3)):
        model.start(Generate(TextPrompt((*start, *more)), Sampling(max_tokens=1)))
        model.run()
        assert model.read == read


def test_tenants_share_nothing(driven: Callable[..., Driven]) -> None:
    model = driven()
    prompt = TextPrompt(tuple(5 + at % 200 for at in range(64)))
    for salt, read in (("one", 64), ("other", 128), ("one", 128 + 16)):
        model.start(Generate(prompt, Sampling(max_tokens=1), cache_salt=salt))
        model.run()
        assert model.read == read


def test_a_request_that_can_never_fit_is_refused_with_both_lengths(driven: Callable[..., Driven]) -> None:
    model = driven(blocks=4)
    for prompt, most, words in ((70, 1, "has 70 tokens; there is memory for 64"), (60, 10, "10 more; there is memory")):
        with pytest.raises(RequestFailed, match=words) as failed:
            model.start(Generate(TextPrompt((7,) * prompt), Sampling(max_tokens=most)))
        assert failed.value.kind == "context_length"
    request_id = model.start(Generate(TextPrompt((7,) * 60), Sampling(temperature=0, ignore_eos=True)))
    model.run()
    assert model.answer(request_id)[2] == 4  # as many as there is room for


def test_whoever_is_cancelled_frees_its_room_at_once(driven: Callable[..., Driven]) -> None:
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
def test_whatever_comes_and_goes_nobody_gets_another_ones_answer(driven: Callable[..., Driven], seed: int) -> None:
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
