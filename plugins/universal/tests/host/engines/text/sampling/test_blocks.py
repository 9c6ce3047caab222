"""Largest values and sums of rows of any length."""

from __future__ import annotations

import math

import pytest
import torch
from llamafarm_universal.host.engines.text.sampling.blocks import (
    draw,
    draw_by_blocks,
    largest,
    likeliest,
    peak_of,
    total_of,
)

LENGTHS = [1, 2, 3, 16, 17, 100, 1000, 1023, 50257]


def rows(length: int) -> torch.Tensor:
    return torch.randn(5, length, generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("length", LENGTHS)
def test_the_largest_value_and_where_it_first_stands(length: int) -> None:
    values = rows(length)
    largest_values, places = largest(values)
    assert torch.equal(places[:, 0], values.argmax(-1))
    assert torch.equal(largest_values, peak_of(values))
    assert largest(torch.zeros(1, length))[1].tolist() == [[0]]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("count", [0, 1, 2, 20, 256])
def test_the_likeliest_are_those_of_topk(length: int, count: int) -> None:
    values = rows(length)
    expected = values.topk(min(count, length))
    found, places = likeliest(values, count)
    assert torch.equal(found, expected.values)
    assert torch.equal(values.gather(1, places), expected.values)


def test_what_is_no_number_is_found() -> None:
    values = rows(5000)
    values[1, 4000] = math.nan
    assert largest(values)[0].isnan()[:, 0].tolist() == [False, True, False, False, False]
    assert likeliest(values, 20)[0].isnan().any(-1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("length", LENGTHS)
def test_sums(length: int) -> None:
    values = rows(length).exp()
    assert torch.allclose(total_of(values), values.sum(-1, keepdim=True))


def test_a_draw_is_the_place_at_which_the_cumulative_share_passes_the_number() -> None:
    shares = torch.tensor([[0.0, 2.0, 0.0, 1.0, 1.0, 0.0]])
    numbers = {0.0: 1, 0.49: 1, 0.5: 3, 0.74: 3, 0.75: 4, 1 - 2**-24: 4}
    for number, place in numbers.items():
        assert draw(shares, torch.tensor([[number]])).item() == place


def test_a_draw_by_blocks_takes_a_block_and_then_a_place() -> None:
    shares = torch.zeros(1, 101)
    shares[0, 7], shares[0, 100] = 3.0, 1.0  # in the first block of ten, and in the last, which is cut off
    assert draw_by_blocks(shares, torch.tensor([[0.7, 0.9]])).item() == 7
    assert draw_by_blocks(shares, torch.tensor([[0.8, 0.1]])).item() == 100
