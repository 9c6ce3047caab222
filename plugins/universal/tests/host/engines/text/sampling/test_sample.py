"""The next tokens of many sequences at once: each as it would be alone."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import torch
from llamafarm_universal.host.engines.text.sampling import Choice, Sampler, Settings, sample

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0])
VOCABULARY = 3000


def draws(
    count: int = 200, *, logits: torch.Tensor = LOGITS, prompt: tuple[int, ...] = (), **settings: Any
) -> list[int]:
    """The tokens that one sequence gets, one after the other, from the same logits."""
    sampler = Sampler(Settings(**{"seed": 1, **settings}), prompt)
    tokens = []
    for _ in range(count):
        tokens.append(sample(logits.clone().unsqueeze(0), [sampler])[0].token)
        sampler.add(tokens[-1])
    return tokens


def drawn_at_once(count: int, logits: torch.Tensor, **settings: Any) -> Counter[int]:
    """How often each token comes, in so many sequences with different seeds."""
    samplers = [Sampler(Settings(**settings, seed=seed), ()) for seed in range(count)]
    return Counter(choice.token for choice in sample(logits.expand(count, -1).clone(), samplers))


def normal(rows: int, scale: float = 3.0, vocabulary: int = VOCABULARY) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(5)) * scale


def test_temperature_zero_takes_the_likeliest() -> None:
    assert set(draws(temperature=0)) == {1}
    assert set(draws(temperature=2.0, top_k=1)) == {1}
    assert set(draws(temperature=2.0, top_p=0.0)) == {1}


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
    assert draws(seed=-7) != draws(seed=7)


def test_without_a_seed_two_samplers_differ() -> None:
    assert draws(seed=None) != draws(seed=None)


KINDS: tuple[dict[str, Any], ...] = (
    {"temperature": 0.0},
    {},
    {"temperature": 1.7, "min_p": 0.01},
    {"top_p": 0.9, "logprobs": 3},
    {"top_p": 0.9, "temperature": 9.0},  # more tokens than are looked at first
    {"top_k": 40, "top_p": 0.8, "temperature": 0.7},
    {"top_k": 2000},
    {"typical_p": 0.6, "logprobs": 0},
    {"top_k": 50, "typical_p": 0.6, "repetition_penalty": 1.3},
    {"temperature": 0.0, "logprobs": 20, "frequency_penalty": 0.5, "logit_bias": {7: 4.0}},
)


def sampler_of(row: int) -> Sampler:
    sampler = Sampler(Settings(**KINDS[row % len(KINDS)], seed=row), range(row, row + 30))
    for token in range(row % 7):
        sampler.add(token)
    return sampler


def mask_of(row: int) -> torch.Tensor | None:
    words = torch.randint(-(2**31), 2**31, ((VOCABULARY + 31) // 32,), generator=torch.Generator().manual_seed(row))
    return words.int() if row % 3 == 0 else None


def test_a_row_gets_what_it_gets_alone_whatever_its_company_and_their_order() -> None:
    rows = list(range(40))
    logits, masks = normal(len(rows)), [mask_of(row) for row in rows]
    alone = [sample(logits[row : row + 1].clone(), [sampler_of(row)], [masks[row]])[0] for row in rows]
    assert sample(logits.clone(), [sampler_of(row) for row in rows], masks) == alone
    turned = rows[::-1]
    together = sample(logits[turned], [sampler_of(row) for row in turned], [masks[row] for row in turned])
    assert together == alone[::-1]
    assert sample(logits[3:17].clone(), [sampler_of(row) for row in rows[3:17]], masks[3:17]) == alone[3:17]


def test_what_is_no_number_fails_its_row_alone_and_says_what_helps() -> None:
    logits = normal(8)
    logits[2, 70], logits[5, 2999] = math.nan, math.inf
    for settings in ({"temperature": 0.0}, {}, {"top_p": 0.9}, {"top_k": 5}, {"typical_p": 0.5}, {"min_p": 0.1}):
        choices = sample(logits.clone(), [Sampler(Settings(**settings, seed=1), ()) for _ in range(8)])
        failed = {row: choice.failure for row, choice in enumerate(choices) if choice.failure}
        assert list(failed) == [2, 5], settings
        assert "computed NaN instead" in failed[2].message
        assert "computed infinity instead" in failed[5].message
        assert "bf16" in (failed[2].hint or "")


def test_a_row_to_which_nothing_is_left_says_so() -> None:
    nothing = torch.zeros(1, dtype=torch.int32)
    for settings in ({"temperature": 0.0}, {}, {"top_p": 0.9}):
        free, bound = (Sampler(Settings(**settings), ()) for _ in range(2))
        choice, failed = sample(LOGITS.repeat(2, 1), [free, bound], [None, nothing])
        assert choice.failure is None
        assert failed.failure is not None
        assert "No token may come next" in failed.failure.message


def test_no_rows_are_no_choices() -> None:
    assert sample(torch.empty(0, 4), []) == []


def test_a_choice_says_that_it_has_no_token() -> None:
    assert Choice(5).failure is None
