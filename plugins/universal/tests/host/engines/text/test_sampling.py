"""How one sequence chooses its next token."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.sampling import Sampler, Settings, log_probabilities, settle
from llamafarm_universal.messages import Sampling

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0])


def draws(count: int = 200, *, prompt: tuple[int, ...] = (), **settings: Any) -> list[int]:
    sampler = Sampler(Settings(**{"seed": 1, **settings}), prompt, "cpu")
    return [sampler.choose(LOGITS) for _ in range(count)]


def test_temperature_zero_takes_the_likeliest() -> None:
    assert set(draws(temperature=0)) == {1}


def test_temperature_one_draws_by_the_models_own_probabilities() -> None:
    counts = Counter(draws(4000))
    shares = LOGITS.softmax(-1)
    assert all(abs(counts[token] / 4000 - float(shares[token])) < 0.03 for token in range(4))


def test_a_higher_temperature_flattens() -> None:
    assert Counter(draws(2000, temperature=50.0))[3] > Counter(draws(2000))[3] * 3


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"top_k": 2}, {1, 2}),
        ({"top_k": 1}, {1}),
        ({"top_k": 99}, {0, 1, 2, 3}),
        ({"top_p": 0.6}, {1}),
        ({"top_p": 0.7}, {1, 2}),
        ({"top_p": 0.0}, {1}),
        ({"min_p": 0.3}, {1, 2}),
        ({"top_k": 3, "top_p": 0.99, "min_p": 0.1}, {0, 1, 2}),
    ],
)
def test_unlikely_tokens_are_cut_off(settings: dict[str, Any], left: set[int]) -> None:
    assert set(draws(3000, temperature=1.0, **settings)) == left


@pytest.mark.parametrize("scale", [0.01, 1.0, 4.0], ids=["flat", "usual", "steep"])
def test_top_p_of_a_large_vocabulary_leaves_the_fewest_tokens_that_have_that_share(scale: float) -> None:
    logits = torch.randn(5000, generator=torch.Generator().manual_seed(0)) * scale
    shares, tokens = logits.softmax(-1).sort(descending=True)
    left = set(tokens[: int((shares.cumsum(-1) < 0.5).sum()) + 1].tolist())
    sampler = Sampler(Settings(top_p=0.5, seed=1), (), "cpu")
    drawn = {sampler.choose(logits) for _ in range(2000)}
    assert drawn <= left
    assert len(drawn) > min(len(left), 1000) / 2


def test_a_token_without_a_chance_is_never_drawn() -> None:
    logits = torch.full((1000,), -math.inf)
    logits[500] = 0.0
    sampler = Sampler(Settings(seed=1), (), "cpu")
    assert {sampler.choose(logits) for _ in range(500)} == {500}


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "NaN"), (math.inf, "infinity")])
def test_what_is_no_number_is_an_error_that_says_what_helps(value: float, shown: str) -> None:
    with pytest.raises(RequestFailed, match=f"computed {shown} instead") as caught:
        Sampler(Settings(), (), "cpu").choose(torch.tensor([1.0, value, 2.0]))
    assert "bf16" in (caught.value.hint or "")


def test_a_bias_forbids_and_forces() -> None:
    assert 1 not in draws(logit_bias={1: -100.0})
    assert set(draws(logit_bias={3: 100.0})) == {3}


def test_the_repetition_penalty_counts_the_prompt_and_the_answer() -> None:
    assert draws(1, prompt=(1,), temperature=0, repetition_penalty=2.0) == [2]
    assert draws(3, temperature=0, repetition_penalty=2.0) == [1, 2, 1]


def test_presence_and_frequency_penalties_count_the_answer_alone() -> None:
    assert draws(1, prompt=(1,), temperature=0, presence_penalty=2.0) == [1]
    assert draws(3, temperature=0, presence_penalty=1.5) == [1, 2, 1]
    assert draws(4, temperature=0, frequency_penalty=0.6) == [1, 1, 2, 1]


def test_equal_seeds_draw_alike_and_others_do_not() -> None:
    assert draws(seed=7) == draws(seed=7)
    assert draws(seed=7) != draws(seed=8)
    again = Sampler(Settings(seed=7), (), "cpu", offset=1)
    assert [again.choose(LOGITS) for _ in range(200)] == draws(seed=8), "the second of n answers uses the next seed"


def test_without_a_seed_two_samplers_differ() -> None:
    assert draws(seed=None) != draws(seed=None)


def test_choosing_leaves_the_logits_as_they_are() -> None:
    before = LOGITS.clone()
    draws(5, prompt=(1,), repetition_penalty=2.0, presence_penalty=1.0, logit_bias={0: 5.0}, top_k=2)
    assert torch.equal(LOGITS, before)


def test_log_probabilities_are_the_models_own() -> None:
    logprob, top = log_probabilities(LOGITS, 2, 2)
    total = sum(math.exp(value) for value in LOGITS.tolist())
    assert logprob == pytest.approx(2.0 - math.log(total), abs=1e-5)
    assert [token for token, _ in top] == [1, 2]
    assert top[1][1] == pytest.approx(logprob)
    assert log_probabilities(LOGITS, 2, 0) == (pytest.approx(logprob), [])


def test_what_a_request_leaves_open_comes_from_the_models_author() -> None:
    author = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "repetition_penalty": 1.1}
    settings = settle(Sampling(top_p=0.5), author, 4)
    assert (settings.temperature, settings.top_p, settings.top_k) == (0.6, 0.5, 20)
    assert settings.repetition_penalty == 1.1


def test_a_model_whose_author_wants_no_sampling_is_greedy_until_asked() -> None:
    assert settle(Sampling(), {"do_sample": False}, 4).temperature == 0
    assert settle(Sampling(temperature=0.8), {"do_sample": False}, 4).temperature == 0.8
    assert settle(Sampling(), {}, 4).temperature == 1.0


@pytest.mark.parametrize(
    ("sampling", "param"),
    [
        (Sampling(temperature=-1.0), "temperature"),
        (Sampling(temperature=math.nan), "temperature"),
        (Sampling(top_p=1.5), "top_p"),
        (Sampling(min_p=-0.1), "min_p"),
        (Sampling(repetition_penalty=0.0), "repetition_penalty"),
        (Sampling(presence_penalty=math.inf), "presence_penalty"),
        (Sampling(logit_bias={4: 1.0}), "logit_bias"),
        (Sampling(logit_bias={0: math.nan}), "logit_bias"),
        (Sampling(logprobs=21), "top_logprobs"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(sampling: Sampling, param: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        settle(sampling, {}, 4)
    assert (caught.value.kind, caught.value.param) == ("invalid_request", param)
