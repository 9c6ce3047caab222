"""Which tokens come, and how often: what transformers' processors leave, with its probabilities."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from llamafarm_universal.host.engines.text.sampling import Sampler, Settings, sample
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

DRAWS = 2000
VOCABULARY = 1000
PROCESSORS = {  # in transformers' order
    "temperature": TemperatureLogitsWarper,
    "top_k": TopKLogitsWarper,
    "top_p": TopPLogitsWarper,
    "min_p": MinPLogitsWarper,
    "typical_p": TypicalLogitsWarper,
}


def logits_of(scale: float, vocabulary: int = VOCABULARY) -> torch.Tensor:
    return torch.randn(vocabulary, generator=torch.Generator().manual_seed(3)) * scale


def probabilities(logits: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    processors = LogitsProcessorList([PROCESSORS[name](settings[name]) for name in PROCESSORS if name in settings])
    left: torch.Tensor = processors(torch.empty(1, 0, dtype=torch.long), logits.unsqueeze(0).clone())
    return left.softmax(-1)[0]


def drawn(logits: torch.Tensor, settings: dict[str, Any]) -> Counter[int]:
    samplers = [Sampler(Settings(**settings, seed=seed), ()) for seed in range(DRAWS)]
    return Counter(choice.token for choice in sample(logits.repeat(DRAWS, 1), samplers))


def surprise(counts: Counter[int], shares: torch.Tensor) -> float:
    """How many standard deviations these counts are too far from their shares: Pearson's chi-square of 40 bins at most.

    The chi-square is made normal as Wilson and Hilferty do.
    """
    heights = shares.sort(descending=True)
    bins = (heights.values.cumsum(0) * 40).floor().clamp(max=39).long()
    expected, observed = torch.zeros(40), torch.zeros(40)
    expected.index_add_(0, bins, heights.values * DRAWS)
    observed.index_add_(0, bins, torch.tensor([float(counts[int(token)]) for token in heights.indices]))
    rare = expected < 5  # such bins are put together: a chi-square says nothing of few
    expected = torch.cat([expected[~rare], expected[rare].sum(0, keepdim=True)])
    observed = torch.cat([observed[~rare], observed[rare].sum(0, keepdim=True)])
    some = expected >= 5
    chi_square = float(((observed - expected)[some] ** 2 / expected[some]).sum())
    degrees = int(some.sum()) - 1
    if degrees == 0:
        return 0.0
    return float(((chi_square / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees)))


@pytest.mark.parametrize("scale", [0.5, 4.0], ids=["flat", "steep"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.6},
        {"top_k": 7},
        {"top_k": 400},
        {"top_p": 0.3},
        {"top_p": 0.95},
        {"min_p": 0.05},
        {"typical_p": 0.4},
        {"top_p": 0.9, "min_p": 0.02, "temperature": 1.3},
        {"top_k": 100, "top_p": 0.8, "min_p": 0.01, "temperature": 0.8},
        {"top_k": 600, "top_p": 0.9},
        {"typical_p": 0.7, "min_p": 0.01},
        {"top_k": 50, "typical_p": 0.5},
        {"top_p": 0.9, "typical_p": 0.5, "temperature": 0.9},
    ],
    ids=str,
)
def test_the_tokens_that_are_left_come_with_the_probabilities_of_transformers(
    settings: dict[str, Any], scale: float
) -> None:
    logits = logits_of(scale)
    shares, counts = probabilities(logits, settings), drawn(logits, settings)
    assert {token for token in counts if shares[token] == 0} == set(), "a token that was taken away has come"
    assert surprise(counts, shares) < 3.5


@pytest.mark.parametrize("vocabulary", [2, 3, 17, 300])
def test_vocabularies_of_any_size(vocabulary: int) -> None:
    for settings in ({}, {"top_p": 0.7}, {"top_k": 2}, {"typical_p": 0.5}, {"min_p": 0.2}):
        logits = logits_of(1.0, vocabulary)
        shares, counts = probabilities(logits, settings), drawn(logits, settings)
        assert {token for token in counts if shares[token] == 0} == set(), settings
        assert surprise(counts, shares) < 3.5, settings


@pytest.mark.parametrize("settings", [{}, {"top_p": 0.9}, {"top_k": 5}, {"typical_p": 0.9}], ids=str)
def test_a_token_without_a_chance_never_comes(settings: dict[str, Any]) -> None:
    logits = torch.full((1000,), -math.inf)
    logits[500] = 0.0
    assert drawn(logits, settings) == {500: DRAWS}


def test_equal_tokens_are_all_left_or_as_many_as_top_p_needs() -> None:
    logits = torch.zeros(VOCABULARY)
    few = {token for token, _ in drawn(logits, {"top_p": 0.002}).items()}
    assert len(few) == 2
    assert len(drawn(logits, {"top_p": 0.5})) > 700, "of 1,000, from 2,000 draws"
