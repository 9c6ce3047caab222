"""Which tokens top_k, top_p, min_p and typical_p leave, and drawing one of them; many sequences at once.

They mean what they mean in transformers, and come in its order: temperature, top_k, top_p, min_p, typical_p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.sampling.blocks import draw, draw_by_blocks, largest, likeliest
from llamafarm_universal.host.engines.text.sampling.sampler import MOST_CANDIDATES, Sampler

if TYPE_CHECKING:
    from torch import Tensor


class Columns:
    """The settings of many sequences and their random numbers, as columns [rows, 1] beside the logits."""

    def __init__(self, samplers: Sequence[Sampler], device: torch.device) -> None:
        every = [_row(sampler) for sampler in samplers]
        table = torch.tensor(every, dtype=torch.float32).to(device, non_blocking=True)
        self.temperature, self.top_k, self.top_p, self.min_p, self.typical_p = table[:, :5].split(1, 1)
        self.uniforms = table[:, 5:]
        self.has_temperature = any(row[0] != 1.0 for row in every)
        self.most = max(int(row[1]) if row[1] < math.inf else MOST_CANDIDATES for row in every)
        self.needs_whole = any(row[1] == math.inf for row in every)
        self.has_min_p = any(row[3] > 0 for row in every)
        self.has_typical_p = any(row[4] < 1 for row in every)


def _row(sampler: Sampler) -> list[float]:
    """top_k and top_p are infinite where they leave every token."""
    settings = sampler.settings
    return [
        settings.temperature,
        settings.top_k or math.inf,
        settings.top_p if settings.top_p < 1 else math.inf,
        settings.min_p,
        settings.typical_p,
        *sampler.uniforms(),
    ]


def draw_open(logits: Tensor, columns: Columns) -> Tensor:
    """Draw from all tokens, or those that min_p leaves. Returns [rows, 3]: see `draw_narrow`."""
    shares = _tempered(logits, columns).softmax(-1)
    if columns.has_min_p:
        shares.masked_fill_(shares < columns.min_p * largest(shares)[0], 0.0)
    place, total = draw_by_blocks(shares, columns.uniforms)
    return torch.cat([place, total, torch.zeros_like(total)], 1)


def draw_narrow(logits: Tensor, columns: Columns, *, wide: bool = False) -> Tensor:
    """Draw from what is left of the likeliest tokens; `wide`: of all of them.

    Returns float32 [rows, 3]: the token, the sum of all shares, which is finite where the logits are numbers, and
    whether top_p leaves more tokens than were looked at: then the token means nothing.
    """
    count = logits.shape[1] if wide else min(columns.most, logits.shape[1])
    values, tokens = likeliest(logits, count)
    values = _tempered(values, columns)
    top_k_applies = columns.top_k.isfinite()
    values = values.masked_fill(torch.arange(count, device=logits.device) >= columns.top_k, -math.inf)
    unit = values[:, :1]  # the logarithm of what counts as 1
    if columns.needs_whole:
        unit = unit.where(top_k_applies, _tempered(logits, columns).logsumexp(-1, keepdim=True))
    shares = (values - unit).exp()
    heights = shares.cumsum(-1)
    total = heights[:, -1:]
    whole = total.where(top_k_applies, 1.0)
    missing = (total < columns.top_p) & columns.top_p.isfinite() & ~top_k_applies & (count < logits.shape[1])
    beyond = heights - shares >= columns.top_p * whole
    beyond[:, 0] = False  # the likeliest always stays
    shares.masked_fill_(beyond, 0.0)
    if columns.has_min_p:
        shares.masked_fill_(shares < columns.min_p * shares[:, :1], 0.0)
    if columns.has_typical_p:
        shares = shares.where(columns.typical_p == 1, _typical(shares, columns.typical_p))
    place, sum_left = draw(shares, columns.uniforms[:, :1])
    return torch.cat([tokens.gather(1, place), sum_left, missing], 1)


def _typical(shares: Tensor, typical_p: Tensor) -> Tensor:
    """The tokens nearest to what is expected, as many as have this part of all shares (arXiv:2202.00666)."""
    shares = shares / _sum(shares)
    surprise = -shares.log()
    expected = _sum((shares * surprise).nan_to_num(0.0))
    order = (surprise - expected).abs().argsort(-1)
    ordered = shares.gather(1, order)
    beyond = ordered.cumsum(-1) - ordered >= typical_p
    beyond[:, 0] = False
    return torch.zeros_like(shares).scatter_(1, order, ordered.masked_fill(beyond, 0.0))


def _sum(values: Tensor) -> Tensor:
    """Sums of rows, [rows, 1]: the same, bit for bit, whatever number of zeros follow."""
    return values.cumsum(-1)[:, -1:]


def _tempered(logits: Tensor, columns: Columns) -> Tensor:
    return logits / columns.temperature if columns.has_temperature else logits
