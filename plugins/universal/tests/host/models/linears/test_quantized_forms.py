"""Forms with fewer bits: near to the original, by themselves and in company."""

from __future__ import annotations

import math

import pytest
import torch
from llamafarm_universal.host.models.linears.by_rows import ByRows
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.int4 import Int4, Int4Widened
from llamafarm_universal.host.models.linears.int8 import Int8, Int8OneDnn, Int8Stored
from llamafarm_universal.host.models.linears.trial import is_right
from torch.nn.functional import linear

EIGHT = (Int8, Int8OneDnn, Int8Stored)
FOUR = (Int4, Int4Widened)
ERRORS = {8: 0.02, 4: 0.11}  # of a product, relative to it, with normally distributed weights


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def weight(request: pytest.FixtureRequest) -> torch.Tensor:
    torch.manual_seed(0)
    return (torch.randn(320, 96) / math.sqrt(96)).to(request.param)


@pytest.fixture
def bias(weight: torch.Tensor) -> torch.Tensor:
    return torch.randn(len(weight)).to(weight.dtype)


@pytest.fixture(params=EIGHT + FOUR, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[Form]:
    return request.param


@pytest.mark.parametrize("shape", [(96,), (1, 96), (2, 5, 96), (0, 96), (2, 0, 96)], ids=str)
def test_products_are_near_to_those_of_all_bits(
    kind: type[Form], weight: torch.Tensor, bias: torch.Tensor, shape: tuple[int, ...]
) -> None:
    form = kind.make(weight, bias)
    x = torch.randn(shape).to(weight.dtype)
    expected, product = linear(x, weight, bias), form(x)
    assert (product.shape, product.dtype) == (expected.shape, expected.dtype)
    assert (product.float() - expected.float()).norm() <= ERRORS[form.bits or 0] * expected.float().norm()


def test_they_pass_the_trial_with_and_without_a_bias(
    kind: type[Form], weight: torch.Tensor, bias: torch.Tensor
) -> None:
    assert is_right(kind.make(weight, bias), weight, bias)
    assert is_right(kind.make(weight, None), weight, None)
    assert not is_right(kind.make(weight, bias), weight, None)


@pytest.mark.parametrize("kind", EIGHT, ids=lambda kind: kind.name)
def test_a_row_with_large_numbers_makes_no_other_one_coarse(kind: type[Form], weight: torch.Tensor) -> None:
    form = kind.make(weight, None)
    row = torch.randn(1, 96).to(weight.dtype)
    together = form(torch.cat([row, 1e4 * row, torch.zeros_like(row)]))
    torch.testing.assert_close(together[:1], form(row), rtol=0.02, atol=0.02)
    assert not together[2].any()


def test_the_weight_can_be_looked_at_and_quantised_again_without_loss(kind: type[Form], weight: torch.Tensor) -> None:
    first = kind.make(weight, None)
    again = kind.make(first.weight, None)
    assert (first.weight - weight).float().norm() < ERRORS[first.bits or 0] * weight.float().norm()
    assert (again.weight - first.weight).float().norm() < 0.02 * weight.float().norm()


def test_weights_that_lie_transposed_in_memory_are_quantised_alike(kind: type[Form], weight: torch.Tensor) -> None:
    x = torch.randn(3, 96).to(weight.dtype)
    transposed = weight.t().contiguous().t()
    torch.testing.assert_close(kind.make(transposed, None)(x), kind.make(weight, None)(x))


def test_their_memory_is_about_their_bits(kind: type[Form], weight: torch.Tensor) -> None:
    form = kind.make(weight, None)
    assert form.bits is not None
    assert form.memory_bytes <= weight.numel() * (form.bits + 2) / 8


def test_forms_of_four_bits_share_their_numbers(weight: torch.Tensor, bias: torch.Tensor) -> None:
    few = Int4.make(weight, bias)
    both = ByRows(few, Int4Widened.beside(few, weight, bias), 4)
    assert both.memory_bytes == few.memory_bytes
    assert both.bits == 4
    x = torch.randn(8, 96).to(weight.dtype)
    for rows in (x[:4], x):
        torch.testing.assert_close(both(rows), few(rows), rtol=0.05, atol=0.05)


def test_layers_whose_inputs_make_no_groups_cannot_have_four_bits() -> None:
    with pytest.raises(RuntimeError):
        Int4.make(torch.randn(64, 50), None)
