"""Forms are timed and held against torch's own way."""

from __future__ import annotations

import logging

import pytest
import torch
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.plain import Plain, Widened
from llamafarm_universal.host.models.linears.trial import ROWS, Shape, is_right, measure
from torch import Tensor

SHAPE = Shape(64, 32, "float32", has_bias=True)


class Wrong(Plain):
    """Forgets the bias."""

    name = "wrong"

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.linear(x, self.weight)


class Elsewhere(Plain):
    """Is for another processor."""

    name = "elsewhere"

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("illegal instruction")


def test_every_form_is_timed_at_some_numbers_of_rows() -> None:
    times = measure(SHAPE, (Plain, Packed))
    assert times.keys() == {"plain", "packed"}
    assert all(len(each) == len(ROWS) and min(each) > 0 for each in times.values())


def test_what_cannot_be_computed_here_is_left_out() -> None:
    assert measure(SHAPE, (Plain, Elsewhere, Widened)).keys() == {"plain"}


def test_a_form_that_computes_something_else_is_left_out_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert measure(SHAPE, (Plain, Wrong)).keys() == {"plain"}
    assert "`wrong` of linear layers computes wrongly" in caplog.text


def test_the_seed_of_others_is_not_spent() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    measure(SHAPE, (Plain,))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("columns", [384, 1536, 4864])
def test_sums_in_another_order_are_not_wrong(columns: int, dtype: torch.dtype) -> None:
    weight = (torch.randn(384, columns, generator=torch.Generator().manual_seed(0)) / columns**0.5).to(dtype)
    assert is_right(Packed.make(weight, None), weight, None)
