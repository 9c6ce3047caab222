"""What is added to logits: as transformers' processors have it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from llamafarm_universal.host.engines.text.sampling import Sampler, Settings, sample
from llamafarm_universal.host.engines.text.sampling.bias import Bias, add_biases
from transformers import (
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    SequenceBiasLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
)

PROMPT = [3, 1, 4, 1, 5]
ANSWER = [9, 2, 6, 5, 3, 5, 3, 1]
VOCABULARY = 12


def after(settings: Settings, answer: list[int], logits: torch.Tensor) -> torch.Tensor:
    bias = Bias(settings, PROMPT)
    for token in answer:
        bias.add(token)
    changed = logits.clone()
    add_biases(changed, [(0, bias)])
    return changed


@pytest.mark.parametrize(
    ("settings", "processor"),
    [
        ({"suppressed": (1, 7)}, SuppressTokensLogitsProcessor([1, 7])),
        ({"begin_suppressed": (1, 7)}, SuppressTokensAtBeginLogitsProcessor([1, 7], len(PROMPT))),
        ({"no_repeat_ngram": 1}, NoRepeatNGramLogitsProcessor(1)),
        ({"no_repeat_ngram": 2}, NoRepeatNGramLogitsProcessor(2)),
        ({"no_repeat_ngram": 3}, NoRepeatNGramLogitsProcessor(3)),
        (
            {"sequence_bias": {(5,): -1.5, (3, 5): 2.0, (1, 5): 4.0, (5, 3, 1): -3.0, (2, 5): 1.0}},
            SequenceBiasLogitsProcessor([[[5], -1.5], [[3, 5], 2.0], [[1, 5], 4.0], [[5, 3, 1], -3.0], [[2, 5], 1.0]]),
        ),
        (
            {"sequence_bias": {(8,): -math.inf, (5, 3): -math.inf}},
            NoBadWordsLogitsProcessor([[8], [5, 3], [0]], eos_token_id=0),
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_it_is_what_transformers_adds_at_each_position(settings: dict[str, Any], processor: Any) -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(1))
    for length in range(len(ANSWER) + 1):
        expected = processor(torch.tensor([PROMPT + ANSWER[:length]]), logits.clone())
        assert torch.equal(after(Settings(**settings), ANSWER[:length], logits), expected), length


def test_wishes_of_the_request_come_on_top() -> None:
    logits = torch.zeros(1, 4)
    settings = Settings(logit_bias={1: 2.5, 2: -1.0}, suppressed=(2,), sequence_bias={(1,): 0.5})
    assert after(settings, [], logits).tolist() == [[0.0, 3.0, -math.inf, 0.0]]


def test_an_end_may_not_come_early_but_where_nothing_else_may() -> None:
    early = Settings(temperature=0, end_tokens=frozenset({3}), min_tokens=2, logit_bias={3: 50.0})
    sampler, tokens = Sampler(early, ()), []
    for _ in range(4):
        tokens.append(sample(torch.tensor([[1.0, 0.0, 0.0, 2.0]]), [sampler])[0].token)
        sampler.add(tokens[-1])
    assert tokens == [0, 0, 3, 3]
    only_the_end = torch.tensor([0b1000], dtype=torch.int32)
    assert sample(torch.zeros(1, 4), [Sampler(early, ())], [only_the_end])[0].token == 3


def test_tokens_that_the_model_cannot_write_are_left_out() -> None:
    logits = torch.zeros(1, 4)
    assert after(Settings(suppressed=(-1, 2, 4, 9)), [], logits).tolist() == [[0.0, 0.0, -math.inf, 0.0]]
