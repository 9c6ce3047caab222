"""Weights of eight bits: a whole number from -127 to 127 for each, and a scale for each output.

Inputs become whole numbers, too, for each product anew, with a range for each row: one row with a large number in it
(models have such) makes no other one coarse, and a row's product does not depend on its company.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import linear

from llamafarm_universal.host.models.linears.form import Form, bytes_of

if TYPE_CHECKING:
    from torch import Tensor

_MOST = 127
_ZERO = 128  # what stands for 0 where numbers have no sign
_LEAST = 1e-30  # what a row of zeros is divided by


def whole_numbers(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers (int8, as the weight) and scales (float32 [out_features]) whose product is about the weight."""
    scales = largest(weight).div_(_MOST)
    return torch.round(weight.float() / scales).to(torch.int8).contiguous(), scales[:, 0]


def largest(rows: Tensor) -> Tensor:
    """The largest absolute number of each row, float32 [..., 1]; never 0."""
    most: Tensor = rows.abs().amax(-1, keepdim=True).float()  # a tenth of the time of a norm, or of aminmax
    return most.clamp_min_(_LEAST)


def _unsigned(rows: Tensor, steps: Tensor) -> Tensor:
    """How many steps each number has, and 128 more: uint8, to which torch converts slowly, and to int8 fast."""
    return (rows / steps).round_().to(torch.int8).view(torch.uint8).bitwise_xor_(_ZERO)


class Int8(Form):
    """FBGEMM's product: where the processor is an x86, the fastest with one row and with many."""

    name = "int8"
    most_error = 0.03
    bits = 8

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        numbers, scales = whole_numbers(weight)
        object.__setattr__(self, "_sums", scales * numbers.sum(1))  # of the weights of each output
        self._packed = _packed(numbers, scales)
        self._product = torch.ops.quantized.linear_dynamic.default
        self._reduces = _saturates()

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features)
        if len(rows) == 1:
            product = self._product(rows.float(), self._packed, self._reduces)
        else:  # the operator finds one range for all rows, so each is brought to -1 to 1 before
            least, most = rows.amin(-1, keepdim=True).float(), rows.amax(-1, keepdim=True).float()
            middle, half = (least + most) / 2, ((most - least) / 2).clamp_min_(_LEAST)
            product = self._product((rows - middle) / half, self._packed, self._reduces)
            product = product.mul_(half).addcmul_(middle, self._sums)
        return self.finished(product, x)

    @property
    def weight(self) -> Tensor:
        weight: Tensor = torch.ops.quantized.linear_unpack(self._packed)[0].dequantize().to(self.dtype)
        return weight

    @property
    def memory_bytes(self) -> int:
        """Those of FBGEMM's copy are numbers, a scale and an offset for each output."""
        return int(self.in_features * self.out_features + 8 * self.out_features + bytes_of(self._sums, self.bias))


class Int8OneDnn(Form):
    """oneDNN's product. It is there on other processors, too."""

    name = "int8 of oneDNN"
    most_error = 0.03
    bits = 8

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        numbers, scales = whole_numbers(weight)
        kept = {"_numbers": torch.ops.onednn.qlinear_prepack(numbers, None), "_scales": scales}
        for name, value in {**kept, "_zeros": torch.zeros(len(scales), dtype=torch.int32)}.items():
            object.__setattr__(self, name, value)
        self._product = torch.ops.onednn.qlinear_pointwise.default

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features)
        steps = largest(rows).div_(_MOST)
        inputs = _unsigned(rows, steps)
        weights = (self._numbers, self._scales, self._zeros)
        product = self._product(inputs, 1.0, _ZERO, *weights, None, 1.0, 0, torch.float32, "none", [], "").mul_(steps)
        return self.finished(product, x)

    @property
    def weight(self) -> Tensor:
        weight: Tensor = (self._numbers.to_dense().t().float() * self._scales[:, None]).to(self.dtype)
        return weight

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self._numbers, self._scales, self._zeros, self.bias)


class Int8Stored(Form):
    """Weights of eight bits that are widened for each product: half the memory on any device, at no gain in speed."""

    name = "int8 stored"
    most_error = 0.02
    bits = 8

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        numbers, scales = whole_numbers(weight)
        object.__setattr__(self, "_numbers", numbers)
        object.__setattr__(self, "_scales", scales.to(weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = linear(x, self._numbers.to(x.dtype)).mul_(self._scales)
        return product if self.bias is None else product.add_(self.bias)

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self._numbers.to(self.dtype) * self._scales[:, None]
        return weight

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self._numbers, self._scales, self.bias)


def _packed(numbers: Tensor, scales: Tensor) -> Any:
    """The weight as FBGEMM wants it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*quantized tensor", category=UserWarning)  # it takes no other
        zeros = torch.zeros(len(scales), dtype=torch.long)
        weight = torch._make_per_channel_quantized_tensor(numbers, scales.double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(weight, None)


@cache
def _saturates() -> bool:
    """Whether sums overflow here when inputs have eight bits: FBGEMM then has to be asked to give them seven.

    That is so on processors without VNNI, which add two products in sixteen bits.
    """
    ones = torch.ones(64, 64)
    product = torch.ops.quantized.linear_dynamic(ones, _packed(*whole_numbers(ones)), False)
    return bool((product - 64).abs().max() > 1)
