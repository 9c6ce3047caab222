"""What rounding makes of a model's answers, and how far they may be from others that shall be the same.

In float32 that is next to nothing. In half precision a trained model with large numbers inside may be a tenth off and
more, and one that chooses experts may choose others: so the model itself is asked, with embeddings that are off by a
rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_TIMES = 3
"""Rounding happens in each layer anew, not at the embeddings alone: it made up to 2.4 times the difference."""
_MOST = 0.5
"""Answers to different texts are 1.4 apart."""


def difference(numbers: Tensor, wanted: Tensor) -> float:
    """How far numbers are from others, relative to how far those are apart among themselves."""
    wanted = wanted.float()
    return float((numbers.float() - wanted).norm() / (wanted - wanted.mean()).norm())


def tolerance(noise: float) -> float:
    """The difference that is rounding, where embeddings that are off by one make so much of a difference."""
    return min(_MOST, _TIMES * noise)


def is_coarse(dtype: torch.dtype) -> bool:
    """Whether rounding matters in a number format."""
    return bool(torch.finfo(dtype).eps > torch.finfo(torch.float32).eps)


@contextmanager
def embeddings_off_by(step: float, module: Any) -> Iterator[None]:
    """Within it, each number that the embedding of a transformers model gives is off by so much of itself."""
    generator = torch.Generator().manual_seed(0)  # nobody's seed is spent

    def changed(_module: Any, _given: Any, numbers: Tensor) -> Tensor:
        signs = torch.randint(0, 2, numbers.shape, generator=generator).to(numbers.device) * 2 - 1
        return (numbers.float() * (1 + signs * step)).to(numbers.dtype)

    hook = module.get_input_embeddings().register_forward_hook(changed)
    try:
        yield
    finally:
        hook.remove()
