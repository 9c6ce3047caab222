"""Which tokens a grammar allows, applied to logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor


def apply_masks(logits: Tensor, masks: Sequence[Tensor | None]) -> None:
    """Rule out, in place, what the masks of some rows do not allow. A mask: int32 [ceil(vocabulary / 32)], 1 = allowed.

    The lowest bit of a word is its first token.
    """
    masked = [(row, mask) for row, mask in enumerate(masks) if mask is not None]
    if not masked:
        return
    words = to_device(torch.stack([mask for _, mask in masked]), logits.device)
    ruled_out = _by_byte(logits.device)[words.view(torch.uint8).int()].flatten(1)[:, : logits.shape[1]]
    logits.index_add_(0, to_device([row for row, _ in masked], logits.device), ruled_out)


@cache
def _by_byte(device: torch.device) -> Tensor:
    """For each byte what is added to the logits of its eight tokens: 0 or minus infinity."""
    bits = (torch.arange(256).unsqueeze(1) >> torch.arange(8)) & 1
    return torch.zeros(256, 8).masked_fill_(bits == 0, -math.inf).to(device)
