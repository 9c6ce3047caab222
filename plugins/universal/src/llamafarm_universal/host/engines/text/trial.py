"""A short text that a model reads in two ways when it is loaded: both must give the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

LENGTH = 24
"""Tokens of the text."""
_TOLERANCE = 0.01  # rounding made 0.002 at most among 150 architectures with random weights, forgetting 0.03 at least


def tokens(module: Any, offset: int = 0) -> list[int]:
    """Token ids from all over the vocabulary. offset: makes another text."""
    size = len(module.get_input_embeddings().weight)
    return [((index + 1) * size // (LENGTH + 2) + offset) % size for index in range(LENGTH)]


def same(logits: Tensor, wanted: Tensor, module: Any) -> bool:
    """Whether two rows of logits differ, as root mean squares, by a hundredth at most.

    Or by what the weights' number format cannot tell apart.
    """
    eps = torch.finfo(module.get_input_embeddings().weight.dtype).eps
    return bool((logits - wanted).norm() <= max(_TOLERANCE, math.sqrt(eps)) * (wanted - wanted.mean()).norm())


def read_at_once(module: Any, texts: Sequence[list[int]], device: str) -> list[Tensor]:
    """The logits behind each text, as the model gives them for it by itself: float32 [vocabulary]."""
    with torch.inference_mode():
        rows = [torch.tensor([tokens], device=device) for tokens in texts]
        return [module(input_ids=row, use_cache=False, return_dict=True).logits[0, -1].float() for row in rows]
