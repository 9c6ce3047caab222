"""A request's sampling, with the defaults of its model and with every value checked."""

from __future__ import annotations

import math
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.limits import ModelLimits
from llamafarm_universal.host.engines.text.sampling import Settings, settle
from llamafarm_universal.messages import Sampling

END = 3


def settled(sampling: Sampling, **author: Any) -> Settings:
    """For a model of four tokens, the last of which ends an answer."""
    return settle(sampling, ModelLimits(None, 4, frozenset({END}), author))


def test_what_a_request_leaves_open_comes_from_the_models_author() -> None:
    author = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "typical_p": 0.7, "min_new_tokens": 2}
    settings = settled(Sampling(top_p=0.5), repetition_penalty=1.1, stop_strings=["END"], **author)
    assert (settings.temperature, settings.top_p, settings.top_k) == (0.6, 0.5, 20)
    assert (settings.typical_p, settings.repetition_penalty, settings.min_tokens) == (0.7, 1.1, 2)
    assert settings.stop == ("END",)
    assert settled(Sampling(stop=("mine",)), stop_strings="END").stop == ("mine",)


def test_what_nobody_says_narrows_nothing() -> None:
    assert settled(Sampling()) == Settings(end_tokens=frozenset({END}))


def test_a_model_whose_author_wants_no_sampling_is_greedy_until_asked() -> None:
    assert settled(Sampling(), do_sample=False).temperature == 0
    assert settled(Sampling(temperature=0.8), do_sample=False).temperature == 0.8
    assert settled(Sampling()).temperature == 1.0


def test_an_authors_tokens_that_may_not_come() -> None:
    settings = settled(
        Sampling(),
        suppress_tokens=[1],
        begin_suppress_tokens=[2],
        bad_words_ids=[[0], [0, 1], [END]],
        sequence_bias=[[[2, 1], -1.5]],
        no_repeat_ngram_size=3,
    )
    assert (settings.suppressed, settings.begin_suppressed, settings.no_repeat_ngram) == ((1,), (2,), 3)
    assert settings.sequence_bias == {(0,): -math.inf, (0, 1): -math.inf, (2, 1): -1.5}, "an end is no bad word"


def test_an_authors_least_length_gives_way_to_the_request() -> None:
    assert settled(Sampling(max_tokens=3), min_new_tokens=5).min_tokens == 3
    assert settled(Sampling(max_tokens=3, min_tokens=0), min_new_tokens=5).min_tokens == 0


def test_what_ends_an_answer() -> None:
    assert settled(Sampling(stop_token_ids=(1,))).end_tokens == {1, END}
    assert settled(Sampling(ignore_eos=True)).end_tokens == frozenset()
    assert settled(Sampling(ignore_eos=True, stop_token_ids=(1,))).end_tokens == {1}


@pytest.mark.parametrize(
    ("sampling", "param"),
    [
        (Sampling(temperature=-1.0), "temperature"),
        (Sampling(temperature=math.nan), "temperature"),
        (Sampling(top_p=1.5), "top_p"),
        (Sampling(min_p=-0.1), "min_p"),
        (Sampling(typical_p=1.1), "typical_p"),
        (Sampling(repetition_penalty=0.0), "repetition_penalty"),
        (Sampling(presence_penalty=math.inf), "presence_penalty"),
        (Sampling(logit_bias={4: 1.0}), "logit_bias"),
        (Sampling(logit_bias={0: math.nan}), "logit_bias"),
        (Sampling(logprobs=21), "top_logprobs"),
        (Sampling(stop=("",)), "stop"),
        (Sampling(stop_token_ids=(4,)), "stop_token_ids"),
        (Sampling(min_tokens=-1), "min_tokens"),
        (Sampling(min_tokens=9, max_tokens=8), "min_tokens"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(sampling: Sampling, param: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        settled(sampling)
    assert (caught.value.kind, caught.value.param) == ("invalid_request", param)
