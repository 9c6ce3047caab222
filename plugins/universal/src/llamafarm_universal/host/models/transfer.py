"""Numbers on their way to a device, without waiting for what is computed there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def to_device(values: Sequence[Any] | NDArray[Any] | Tensor, device: torch.device | str) -> Tensor:
    """A tensor of these numbers: of numpy's type, else int64 where all are whole, else float32.

    A GPU reads them once it has done what it was given before. Memory that is not pinned may be somebody else's then.
    """
    tensor = torch.as_tensor(values)
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
