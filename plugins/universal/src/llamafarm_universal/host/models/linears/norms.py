"""Root mean square norms in fewer operations."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_EPSILONS = ("variance_epsilon", "eps", "epsilon")
"""How models call the number that is added to the mean of the squares."""


class RmsNorm(torch.nn.Module):  # type: ignore[misc]  # torch is not type-checked
    """x / sqrt(mean(x²) + epsilon) * scale, over the last dimension, computed in float32.

    Four operations, where models write eight: a step of a small model on a CPU spends more time between operations than
    in most of them. hypot(‖x‖, sqrt(n · epsilon)) is sqrt(n) times the root.
    """

    def __init__(self, weight: Tensor, scale: Tensor, epsilon: float) -> None:
        """weight: as the model has it, for those who look at it; scale: by what the norm multiplies."""
        super().__init__()
        self.weight = weight
        # Plain attributes: torch finds those ten times as fast.
        object.__setattr__(self, "_scale", scale.detach().float() * math.sqrt(len(scale)))
        object.__setattr__(self, "_floor", torch.tensor(math.sqrt(len(scale) * epsilon)))

    def forward(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scaled: Tensor = (x / torch.hypot(length, self._floor)).mul_(self._scale)
        return scaled.to(x.dtype)


class FusedRmsNorm(torch.nn.Module):  # type: ignore[misc]
    """The same in torch's own operation, which is a single kernel on a GPU."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight = weight
        object.__setattr__(self, "_epsilon", epsilon)

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = torch.nn.functional.rms_norm(x, self.weight.shape, self.weight, self._epsilon)
        return scaled


Norm = RmsNorm | FusedRmsNorm


def faster_norm(module: Any) -> Norm | None:
    """What computes the same as a module that is such a norm; None for all others.

    A norm scales by its weight, or by one more than that (Gemma). Whether it is one is seen by what it computes.
    """
    weight = module._parameters.get("weight")
    epsilon = next((value for name in _EPSILONS if isinstance(value := getattr(module, name, None), float)), None)
    if epsilon is None or weight is None or weight.ndim != 1 or not _is_bare(module):
        return None
    return next((norm for norm in _norms(weight, epsilon) if _compute_the_same(module, norm, weight)), None)


def _norms(weight: Tensor, epsilon: float) -> list[Norm]:
    """Those that a norm may be. The fused one takes a weight of the model's number format: one more than that would
    be rounded.
    """
    if weight.device.type == "cuda":
        return [FusedRmsNorm(weight, epsilon)]
    return [RmsNorm(weight, scale, epsilon) for scale in (weight, weight + 1)]


def _is_bare(module: Any) -> bool:
    """Whether a module is its weight and a function of one tensor. (That of Mamba 2 may be given a gate, too.)"""
    kept = len(module._parameters) + len(module._modules) + len(module._buffers)
    is_hooked = bool(module._forward_hooks or module._forward_pre_hooks)
    return kept == 1 and not is_hooked and len(inspect.signature(module.forward).parameters) == 1


def _compute_the_same(module: Any, made: Norm, weight: Tensor) -> bool:
    """Whether two norms differ by rounding alone, for numbers of any size; and in the number format of the result."""
    numbers = torch.randn(3, 2, len(weight), generator=torch.Generator().manual_seed(0))
    x = (numbers * torch.tensor([1e-3, 1.0, 1e3]).view(3, 1, 1)).to(weight)
    try:
        with torch.inference_mode():
            expected, computed = module(x), made(x)
    except Exception:  # noqa: BLE001 - it is something else, which wants something else
        return False
    if not isinstance(expected, torch.Tensor) or (expected.dtype, expected.shape) != (computed.dtype, computed.shape):
        return False
    return bool((expected.float() - computed.float()).norm(dim=-1).le(_tolerance(expected)).all())


def _tolerance(expected: Tensor) -> Tensor:
    """As much as rounding each number twice makes of a difference."""
    tolerance: Tensor = 2 * torch.finfo(expected.dtype).eps * expected.float().norm(dim=-1)
    return tolerance
