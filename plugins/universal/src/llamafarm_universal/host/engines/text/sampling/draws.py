"""Choosing one token of each row: the likeliest, or one of those that top_k, top_p, min_p and typical_p leave.

They mean what they mean in transformers, and come in its order: temperature, top_k, top_p, min_p, typical_p. Each
function takes logits [rows, vocabulary], which it leaves as they are, and returns float32 [rows, 3]: the token, the
largest logit, which is finite where all are numbers and one at least may come, and whether another way has to be gone,
since more tokens are left than were looked at.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.sampling.blocks import (
    draw,
    draw_by_blocks,
    largest,
    likeliest,
    peak_of,
    total_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from llamafarm_universal.host.engines.text.sampling.columns import Columns


def take_likeliest(logits: Tensor) -> Tensor:
    peak, token = largest(logits)
    return _table(token, peak)


def draw_from_all(logits: Tensor, columns: Columns) -> Tensor:
    """For rows that nothing narrows but min_p."""
    shares = _probable(_shares(logits, columns), columns)
    return _table(draw_by_blocks(shares, columns.uniforms), peak_of(logits))


def draw_in_order(logits: Tensor, columns: Columns, count: int) -> Tensor:
    """For rows with a top_k or a top_p: so many of the likeliest tokens are looked at, in order."""
    values, tokens = likeliest(logits, min(count, logits.shape[1]))
    peak = values[:, :1]
    values = values - peak
    shares = (values if columns.temperature is None else values / columns.temperature).exp()
    shares.masked_fill_(torch.arange(shares.shape[1], device=shares.device) >= columns.top_k, 0.0)
    heights = shares.cumsum(-1)
    whole = heights[:, -1:]
    if columns.without_top_k:  # the share of the likeliest token is 1 here
        whole = whole.where(columns.top_k.isfinite(), 1 / _shares(logits, columns).gather(1, tokens[:, :1]))
    limit = columns.top_p * whole
    missing = (heights[:, -1:] < limit) & limit.isfinite()
    beyond = heights - shares >= limit
    beyond[:, 0] = False  # the likeliest always stays
    shares.masked_fill_(beyond, 0.0)
    if columns.with_min_p:
        shares.masked_fill_(shares < columns.min_p, 0.0)
    if columns.with_typical_p:
        shares = _typical(shares, columns.typical_p).where(columns.typical_p < 1, shares)
    return _table(tokens.gather(1, draw(shares, columns.uniforms[:, :1])), peak, missing)


def draw_by_trial(logits: Tensor, columns: Columns) -> Tensor:
    """For rows with a top_p alone, however many tokens it leaves: none are put in order."""
    shares = _shares(logits, columns)
    token = _first_that_stays(_probable(shares, columns), shares, columns.top_p * total_of(shares), columns)
    return _table(token, peak_of(logits))


def draw_typical(logits: Tensor, columns: Columns) -> Tensor:
    """For rows with a typical_p and neither top_k nor top_p."""
    shares = _probable(_shares(logits, columns), columns)
    order = _nearness(shares, total_of)
    return _table(_first_that_stays(shares, order, columns.typical_p * total_of(shares), columns), peak_of(logits))


def _shares(logits: Tensor, columns: Columns) -> Tensor:
    """The probabilities of all tokens, at their temperatures."""
    return (logits if columns.temperature is None else logits / columns.temperature).softmax(-1)


def _probable(shares: Tensor, columns: Columns) -> Tensor:
    """What min_p leaves of shares."""
    return shares.masked_fill(shares < columns.min_p * peak_of(shares), 0.0) if columns.with_min_p else shares


def _first_that_stays(shares: Tensor, order: Tensor, limit: Tensor, columns: Columns) -> Tensor:
    """Draw from the first tokens, in order from the largest down, that have this limit of all shares together.

    A token is drawn from all. Where those before it reach the limit, it is not one of the first, and the next is drawn
    from those before it: each of the first comes with its probability. Most rows need one trial; each trial asks the
    device whether it was the last. Tokens that are equal to the last of the first are taken for first ones too.
    """
    token = draw_by_blocks(shares, columns.uniforms)
    stays = torch.zeros_like(limit, dtype=torch.bool)
    for trial in itertools.count(1):
        shares = torch.where(order > order.gather(1, token), shares, 0.0)
        before = total_of(shares)
        stays |= ~((before >= limit) & (before > 0))
        if bool(stays.all()):
            return token
        token = token.where(stays, draw_by_blocks(shares, columns.uniforms_of(trial)))
    raise AssertionError(shares)


def _typical(shares: Tensor, typical_p: Tensor) -> Tensor:
    """What typical_p leaves of shares that are in order (arXiv:2202.00666)."""
    order = _nearness(shares, _last_height).argsort(dim=-1, descending=True, stable=True)
    ordered = shares.gather(1, order)
    heights = ordered.cumsum(-1)
    beyond = heights - ordered >= typical_p * heights[:, -1:]
    beyond[:, 0] = False
    return torch.zeros_like(shares).scatter_(1, order, ordered.masked_fill(beyond, 0.0))


def _nearness(shares: Tensor, total: Callable[[Tensor], Tensor]) -> Tensor:
    """How near the surprise of each token is to what is expected of all: 0 at best, else less."""
    parts = shares / total(shares)
    surprise = -parts.log()
    return -(surprise - total((parts * surprise).nan_to_num(0.0))).abs()


def _last_height(values: Tensor) -> Tensor:
    """The sum of each row, [rows, 1]: the same, to the last bit, whatever number of zeros come at its end."""
    return values.cumsum(-1)[:, -1:]


def _table(token: Tensor, peak: Tensor, missing: Tensor | None = None) -> Tensor:
    return torch.cat(
        [token.to(peak.dtype), peak, torch.zeros_like(peak) if missing is None else missing.to(peak.dtype)], 1
    )
