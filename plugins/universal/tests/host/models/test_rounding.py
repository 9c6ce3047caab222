"""What rounding makes of answers: none in float32, some in half precision, never everything."""

from __future__ import annotations

import language_models as models
import pytest
import torch
from llamafarm_universal.host.models.linears.probe import answer_of
from llamafarm_universal.host.models.rounding import difference, embeddings_off_by, is_coarse, tolerance


def test_a_difference_is_relative_to_how_far_numbers_are_apart() -> None:
    numbers = torch.tensor([10.0, 12.0])
    assert difference(numbers, numbers) == 0
    assert difference(numbers.flip(0), numbers) == pytest.approx(2)
    assert difference(numbers + 1, numbers) == pytest.approx(1)


def test_formats_of_half_precision_are_coarse() -> None:
    assert [is_coarse(dtype) for dtype in (torch.bfloat16, torch.float16, torch.float32)] == [True, True, False]


def test_what_is_tolerated_grows_with_the_noise_but_not_for_ever() -> None:
    assert tolerance(0.1) == pytest.approx(0.3)
    assert tolerance(0.4) == tolerance(5.0) == 0.5


def test_embeddings_are_off_within_and_as_before_after_it() -> None:
    model = models.build("Llama")
    before, spent = answer_of(model), torch.get_rng_state()
    with embeddings_off_by(0.01, model):
        assert 0.001 < difference(answer_of(model), before) < 0.5
    assert torch.equal(answer_of(model), before)
    assert torch.equal(torch.get_rng_state(), spent), "nobody's seed is spent"
