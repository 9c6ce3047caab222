"""Weights in the blocks that oneDNN reads fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.models.linears.form import Form, bytes_of

if TYPE_CHECKING:
    from torch import Tensor


class Packed(Form):
    """Reorders the weight once, where torch's own way reads it as it lies at each call.

    Source: torch's inductor, which packs the constant weights of a compiled model by the same two operators.
    """

    name = "packed"

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        object.__setattr__(self, "_blocks", torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous()))
        self._product = torch.ops.mkldnn._linear_pointwise.default

    def forward(self, x: Tensor) -> Tensor:
        if x.stride(-1) != 1:  # oneDNN has no product for some of those
            x = x.contiguous()
        product: Tensor = self._product(x, self._blocks, self.bias, "none", [], "")
        return product

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self._blocks.to_dense()
        return weight

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self._blocks, self.bias)
