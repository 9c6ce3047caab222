"""Two forms of one layer: one for few rows, one for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.models.linears.form import Form

if TYPE_CHECKING:
    from torch import Tensor


class ByRows(Form):
    """few: computes up to `most` rows. many: computes more."""

    name = "by rows"

    def __init__(self, few: Form, many: Form, most: int) -> None:
        torch.nn.Module.__init__(self)
        self.in_features, self.out_features, self.dtype = few.in_features, few.out_features, few.dtype
        for name, value in (("bias", few.bias), ("few", few), ("many", many)):
            object.__setattr__(self, name, value)
        self.bits = few.bits
        self.most = most
        self._numbers = most * few.in_features

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = (self.few if x.numel() <= self._numbers else self.many)(x)
        return product

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.few.weight
        return weight

    @property
    def memory_bytes(self) -> int:
        return int(self.few.memory_bytes + (0 if self.few.shares_with(self.many) else self.many.memory_bytes))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.few.name} up to {self.most} rows, then {self.many.name}"
