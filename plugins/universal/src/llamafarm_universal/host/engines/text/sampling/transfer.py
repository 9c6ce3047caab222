"""Small things on their way to a device: without waiting for what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def to_device(values: Sequence[Any] | NDArray[Any], device: torch.device) -> Tensor:
    """A tensor of these numbers: int64 of whole ones, else float32."""
    return torch.as_tensor(values).to(device, non_blocking=True)
