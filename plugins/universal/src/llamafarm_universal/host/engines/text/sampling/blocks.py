"""Largest values, sums and random draws of long rows, by way of blocks: a whole vocabulary is passed over once.

Every result of a row depends on that row alone, bit for bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def largest(values: Tensor) -> tuple[Tensor, Tensor]:
    """The largest value of each row, and the first place where it stands: both [rows, 1]. NaN is the largest of all."""
    width = _width(values)
    block = _reduced(values, width, _largest).argmax(-1, keepdim=True)
    inside, places = _inside(values, block, width, -math.inf)
    place = inside.argmax(-1, keepdim=True)
    return inside.gather(1, place), places.gather(1, place)


def likeliest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest values of each row, the largest first, and their places: both [rows, count].

    They all stand in the `count` blocks with the largest maxima, so that only these are looked through.
    """
    rows, length = values.shape
    width = math.isqrt(length // count) if count else 1
    if width < 2:
        top = values.topk(min(count, length))
        return top.values, top.indices
    stride = length // width  # a block's values lie one stride apart: maxima of neighbours are computed together
    maxima = values[:, : stride * width].unflatten(1, (width, stride)).amax(1)
    blocks = maxima.topk(count, sorted=False).indices
    steps = torch.arange(0, stride * width, stride, device=values.device)
    rest = torch.arange(stride * width, length, device=values.device).expand(rows, -1)
    places = torch.cat([(blocks.unsqueeze(-1) + steps).flatten(1), rest], 1)
    top = values.gather(1, places).topk(count)
    return top.values, places.gather(1, top.indices)


def peak_of(values: Tensor) -> Tensor:
    """The largest value of each row, [rows, 1]; NaN where there is one."""
    return _reduced(values, _width(values), _largest).amax(-1, keepdim=True)


def total_of(values: Tensor) -> Tensor:
    """The sum of each row: [rows, 1]."""
    return _reduced(values, _width(values), _sum).sum(-1, keepdim=True)


def draw(shares: Tensor, uniform: Tensor) -> Tensor:
    """Draw a place of each row, [rows, 1], with probabilities in proportion to its shares, by their cumulative sums.

    uniform: [rows, 1], from 0 up to 1. A place without a share is never drawn, whatever rounding does.
    """
    heights = shares.cumsum(-1).masked_fill_(shares == 0, 0.0)
    above = heights > uniform * heights.amax(-1, keepdim=True)
    return above.int().argmax(-1, keepdim=True)


def draw_by_blocks(shares: Tensor, uniforms: Tensor) -> Tensor:
    """The same for long rows: draw a block, then a place inside it. uniforms: [rows, 2]."""
    width = _width(shares)
    block = draw(_reduced(shares, width, _sum), uniforms[:, :1])
    inside, places = _inside(shares, block, width, 0.0)
    return places.gather(1, draw(inside, uniforms[:, 1:]))


def _largest(blocks: Tensor) -> Tensor:
    return blocks.amax(-1)


def _sum(blocks: Tensor) -> Tensor:
    return blocks.sum(-1)


def _width(values: Tensor) -> int:
    return max(1, math.isqrt(values.shape[1]))


def _reduced(values: Tensor, width: int, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    """What a function makes of each block of so many neighbours; the last block may be shorter."""
    whole = values.shape[1] // width * width
    reduced = reduce(values[:, :whole].unflatten(1, (-1, width)))
    return torch.cat([reduced, reduce(values[:, whole:].unsqueeze(1))], 1) if whole < values.shape[1] else reduced


def _inside(values: Tensor, block: Tensor, width: int, filling: float) -> tuple[Tensor, Tensor]:
    """The values of one block of each row, and their places; `filling` where the last block is shorter."""
    places = block * width + torch.arange(width, device=values.device)
    beyond = places >= values.shape[1]
    places = places.clamp_(max=values.shape[1] - 1)
    return values.gather(1, places).masked_fill_(beyond, filling), places
