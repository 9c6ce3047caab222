"""Penalties on tokens that have come."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from llamafarm_universal.host.engines.text.sampling import Settings
from llamafarm_universal.host.engines.text.sampling.history import History, penalise
from transformers import RepetitionPenaltyLogitsProcessor

VOCABULARY = 500


def history(settings: Settings, prompt: list[int], answer: list[int]) -> History:
    made = History(settings, prompt)
    for token in answer:
        made.add(token)
    return made


def tokens(count: int, seed: int) -> list[int]:
    return torch.randint(0, VOCABULARY, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("penalty", [0.7, 1.3])
def test_the_repetition_penalty_is_that_of_transformers_over_prompt_and_answer(penalty: float) -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(1)) * 4
    prompt, answer = tokens(60, 1), tokens(400, 2)
    expected = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([prompt + answer]), logits.clone())
    penalise(logits, [(0, history(Settings(repetition_penalty=penalty), prompt, answer))])
    assert torch.equal(logits, expected)


def test_presence_and_frequency_penalties_are_openais_over_the_answer() -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(1))
    prompt, answer = tokens(60, 1), tokens(400, 2)
    counts = Counter(answer)
    expected = [
        value - counts[token] * 0.25 - (counts[token] > 0) * 1.5 for token, value in enumerate(logits[0].tolist())
    ]
    penalise(logits, [(0, history(Settings(presence_penalty=1.5, frequency_penalty=0.25), prompt, answer))])
    assert logits[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_rows_are_penalised_each_by_its_own_history_and_others_are_left_as_they_are() -> None:
    logits = torch.ones(4, 6)
    first = history(Settings(presence_penalty=1.0), [5], [2])
    second = history(Settings(repetition_penalty=2.0, frequency_penalty=0.5), [5], [0, 0])
    penalise(logits, [(1, first), (3, second)])
    assert logits.tolist() == [[1.0] * 6, [1, 1, 0, 1, 1, 1], [1.0] * 6, [-0.5, 1, 1, 1, 1, 0.5]]


def test_tokens_that_the_model_cannot_write_are_left_out() -> None:
    logits = torch.ones(1, 4)
    penalise(logits, [(0, history(Settings(repetition_penalty=2.0), [2, 4, 99], []))])
    assert logits.tolist() == [[1, 1, 0.5, 1]]


def test_a_history_without_tokens_penalises_none() -> None:
    logits = torch.ones(1, 4)
    penalise(logits, [(0, history(Settings(presence_penalty=2.0), [1, 2], []))])
    assert logits.tolist() == [[1.0] * 4]
