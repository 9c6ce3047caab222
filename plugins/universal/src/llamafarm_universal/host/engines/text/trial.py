"""A short text that a model reads in two ways when it is loaded: both must give the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_MORE = 1.5
LENGTH = 24
"""Tokens of the text."""
_TOLERANCE = 0.01  # rounding made 0.002 at most among 150 architectures with random weights, forgetting 0.03 at least


def tokens(module: Any, offset: int = 0) -> list[int]:
    """Token ids from all over the vocabulary. offset: makes another text."""
    size = len(module.get_input_embeddings().weight)
    return [((index + 1) * size // (LENGTH + 2) + offset) % size for index in range(LENGTH)]


def same(logits: Tensor, wanted: Tensor, module: Any, noise: float = 0.0) -> bool:
    """Whether two rows of logits differ, as root mean squares, by a hundredth at most.

    Or by what the weights' number format cannot tell apart; or by not much more than the noise of this very model.
    """
    eps = torch.finfo(module.get_input_embeddings().weight.dtype).eps
    return difference(logits, wanted) <= max(_TOLERANCE, math.sqrt(eps), _MORE * noise)


def difference(logits: Tensor, wanted: Tensor) -> float:
    """How far a row of logits is from another one, relative to how far the numbers of that one are apart."""
    return float((logits - wanted).norm() / (wanted - wanted.mean()).norm())


def noises(module: Any, texts: Sequence[list[int]], wanted: Sequence[Tensor], device: str) -> list[float]:
    """For each text, how far two ways of attention are apart that transformers itself has: `sdpa` and `eager`.

    In half precision a trained model with large numbers inside differs by a tenth and more: no third way can be asked
    to be nearer. 0 where there is one way only.
    """
    if module.config._attn_implementation != "sdpa" or not module._can_set_attn_implementation():
        return [0.0] * len(texts)
    module.set_attn_implementation("eager")
    try:
        others = read_at_once(module, texts, device)
    finally:
        module.set_attn_implementation("sdpa")
    return [difference(other, right) for other, right in zip(others, wanted, strict=True)]


def read_at_once(module: Any, texts: Sequence[list[int]], device: str) -> list[Tensor]:
    """The logits behind each text, as the model gives them for it by itself: float32 [vocabulary]."""
    with torch.inference_mode():
        rows = [torch.tensor([tokens], device=device) for tokens in texts]
        return [module(input_ids=row, use_cache=False, return_dict=True).logits[0, -1].float() for row in rows]
