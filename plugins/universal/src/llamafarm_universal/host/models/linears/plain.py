"""Forms that leave the weight as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import linear

from llamafarm_universal.host.models.linears.form import Form, bytes_of

if TYPE_CHECKING:
    from torch import Tensor


class Plain(Form):
    """torch's own way."""

    name = "plain"

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        object.__setattr__(self, "_weight", weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = linear(x, self._weight, self.bias)
        return product

    def shares_with(self, other: Form) -> bool:
        return isinstance(other, Plain)

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self._weight
        return weight

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self._weight, self.bias)


class Widened(Plain):
    """Computes many rows in float32 where the processor has no instructions for the weight's own number format.

    The weight is widened anew for each product: that takes as long as some rows, and no memory between them.
    """

    name = "widened"

    @classmethod
    def make(cls, weight: Tensor, bias: Tensor | None) -> Widened:
        if weight.dtype == torch.float32:
            raise TypeError("float32 is as wide as it gets")
        return cls(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.float()
        product: Tensor = linear(x.float(), self._weight.float(), bias).to(x.dtype)
        return product
