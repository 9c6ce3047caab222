"""Which tokens a token looks at: what is added to the scores of attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

    from llamafarm_universal.host.engines.text.paged import Span


def spans_mask(
    spans: Sequence[Span],
    rows: int,
    begins: Sequence[int],
    length: int,
    window: int | None,
    device: str,
    dtype: torch.dtype,
) -> Tensor:
    """0 where a token may be looked at, else minus infinity: [spans, 1, rows, length].

    rows: of each span; several tokens of a text are filled up with its last. begins: from which token on each text is
    read, for so many tokens.
    """
    places = [[span.past + min(row, span.count - 1) for row in range(rows)] for span in spans]
    asking = to_device(places, device)
    plain = window is None and not any(span.both_ways for span in spans)
    seen = min(span.past for span in spans) if plain else 0  # what all look at need not be compared
    looked_at = torch.arange(seen, length, device=device) + to_device(begins, device)[:, None]
    distance = asking[:, :, None] - looked_at[:, None, :]
    for number, span in enumerate(spans):
        for begin, end in span.both_ways:
            asked, told = (_lie_in(each[number], begin, end) for each in (asking, looked_at))
            distance[number].masked_fill_(asked[:, None] & told, 0)
    mask = torch.zeros(len(spans), 1, rows, length, dtype=dtype, device=device)
    mask[:, 0, :, seen:] = mask_of(distance, window, dtype)
    return mask


def mask_of(distance: Tensor, window: int | None, dtype: torch.dtype) -> Tensor:
    """What is added to scores: 0, or minus infinity. distance: how far behind the token that looks another one is."""
    hidden = distance < 0 if window is None else (distance < 0) | (distance >= window)
    return torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, float("-inf"))


def _lie_in(places: Tensor, begin: int, end: int) -> Tensor:
    return (places >= begin) & (places < end)
