"""Weights in the blocks that oneDNN reads fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.models.linears.form import Form, bytes_of

if TYPE_CHECKING:
    from torch import Tensor


class Packed(Form):
    """Reorders the weight once, where torch's own way reads it as it lies at each call.

    What a row gives does not depend on the others, to the last bit. A single row of many numbers would be an exception,
    since it is summed in pieces: it is computed twice, which takes hardly longer.

    Source: torch's inductor, which packs the constant weights of a compiled model by the same two operators.
    """

    name = "packed"

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        object.__setattr__(self, "_blocks", torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous()))
        self._product = torch.ops.mkldnn._linear_pointwise.default
        self._sums_in_pieces = not self._is_same_alone()

    def forward(self, x: Tensor) -> Tensor:
        if x.stride(-1) != 1:  # oneDNN has no product for some of those
            x = x.contiguous()
        if self._sums_in_pieces and x.numel() == self.in_features:
            return self._computed(x.expand(2, *x.shape[1:-1], -1).reshape(2, -1))[:1].view(*x.shape[:-1], -1)
        return self._computed(x)

    def _computed(self, x: Tensor) -> Tensor:
        product: Tensor = self._product(x, self._blocks, self.bias, "none", [], "")
        return product

    def _is_same_alone(self) -> bool:
        """Whether a row gives alone what it gives beside others."""
        rows = torch.linspace(-1, 1, 2 * self.in_features, dtype=self.dtype).sin().view(2, -1)
        return bool(torch.equal(self._computed(rows[:1]), self._computed(rows)[:1]))

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self._blocks.to_dense()
        return weight

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self._blocks, self.bias)
