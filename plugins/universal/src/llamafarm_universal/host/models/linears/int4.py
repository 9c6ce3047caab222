"""Weights of four bits: a number from 0 to 15 for each, and a scale and an offset for each 32 of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import linear

from llamafarm_universal.host.models.linears.form import Form, bytes_of

if TYPE_CHECKING:
    from torch import Tensor

GROUP = 32
"""Inputs that share a scale, as in GGUF's Q4 formats: 64 would save a tenth of the bytes, at 1.15 times the error."""
_MOST, _MIDDLE = 15, 8
_FITS = 1  # a second time gains two hundredths, and takes as long once more
_WIDENED_AT_ONCE = 1_600_000  # weights: fewer take longer to begin with than to compute
_LEAST = 1e-9  # what is divided by
_BLOCKS = (64, 32)  # of outputs, as the packed numbers lie: with AVX-512 and with AVX2


def small_numbers(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers (int32, as the weight) and their scales and offsets (bfloat16 [in_features / GROUP, out_features, 2]).

    The weight is about (number - 8) · scale + offset: the form that torch's operators take. Scales begin as the range
    of their group, and are fitted to the numbers that these give, by least squares.
    """
    outputs, inputs = weight.shape
    groups = weight.float().reshape(outputs, inputs // GROUP, GROUP)
    least, most = groups.aminmax(dim=-1, keepdim=True)
    scales = ((most - least) / _MOST).clamp_min_(_LEAST)
    offsets = least + _MIDDLE * scales
    for _ in range(_FITS):
        scales, offsets = _fitted(groups, _nearest(groups, scales, offsets))
    scales, offsets = scales.bfloat16(), offsets.bfloat16()
    numbers = _nearest(groups, scales.float(), offsets.float()).add_(_MIDDLE).to(torch.int32).view(outputs, inputs)
    return numbers, torch.cat([scales, offsets], -1).transpose(0, 1).contiguous()


def _nearest(groups: Tensor, scales: Tensor, offsets: Tensor) -> Tensor:
    """The number from -8 to 7 of each weight [outputs, groups, GROUP]."""
    numbers: Tensor = ((groups - offsets) / scales).round_().clamp_(-_MIDDLE, _MOST - _MIDDLE)
    return numbers


def _fitted(groups: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """The scales and offsets with which numbers are nearest to the weights of their group: a linear regression."""
    mean, mean_number = groups.mean(-1, keepdim=True), numbers.mean(-1, keepdim=True)
    apart = numbers - mean_number
    slopes = (apart * (groups - mean)).sum(-1, keepdim=True) / apart.square().sum(-1, keepdim=True).clamp_min_(_LEAST)
    scales = slopes.clamp_min_(_LEAST)
    return scales, mean - scales * mean_number


class Int4(Form):
    """torch's own product of bfloat16 with numbers of four bits, on a CPU: for few rows."""

    name = "int4"
    most_error = 0.13
    bits = 4

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        numbers, scales = small_numbers(weight)
        object.__setattr__(self, "_numbers", self._pack(numbers))
        object.__setattr__(self, "_scales", scales)

    @staticmethod
    def _pack(numbers: Tensor) -> Tensor:
        packed: Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(numbers, 1)
        return packed

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features).bfloat16()
        product = torch.ops.aten._weight_int4pack_mm_for_cpu.default(rows, self._numbers, GROUP, self._scales)
        return self.finished(product, x)

    def shares_with(self, other: Form) -> bool:
        return isinstance(other, Int4)

    @property
    def weight(self) -> Tensor:
        """As products see it: those of the weight with each of the unit vectors."""
        units = torch.eye(self.in_features, dtype=torch.bfloat16)
        product = torch.ops.aten._weight_int4pack_mm_for_cpu.default(units, self._numbers, GROUP, self._scales)
        weight: Tensor = product.t().to(self.dtype)
        return weight

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self._numbers, self._scales, self.bias)


class Int4Widened(Int4):
    """Widens the same numbers for each product: for many rows, which the operator above computes one by one."""

    name = "int4 widened"

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        self._block = _block_of(self)

    @classmethod
    def beside(cls, other: Form, weight: Tensor, bias: Tensor | None) -> Form:
        if not isinstance(other, Int4):
            return cls.make(weight, bias)
        made = cls.__new__(cls)
        torch.nn.Module.__init__(made)
        for name in ("out_features", "in_features", "dtype", "bias", "_numbers", "_scales"):
            object.__setattr__(made, name, getattr(other, name))
        made._block = _block_of(made)
        return made

    def forward(self, x: Tensor) -> Tensor:
        """A piece of the outputs at a time: little memory beside the model's, and always the same."""
        size = max(1, _WIDENED_AT_ONCE // (self.in_features * self._block)) * self._block
        pieces = [self._piece(x, slice(begin, begin + size)) for begin in range(0, self.out_features, size)]
        product: Tensor = torch.cat(pieces, -1)
        return product

    def _piece(self, x: Tensor, outputs: slice) -> Tensor:
        shape = (self.in_features // GROUP, -1, self._scales[0, outputs].shape[0])
        scales, offsets = (each.to(x.dtype).view(shape) for each in self._affine(outputs))
        numbers = _unpacked(self._numbers[outputs], self.in_features, self._block).to(x.dtype).view(shape)
        weight = torch.addcmul(offsets, numbers, scales).view(self.in_features, -1)
        product: Tensor = linear(x, weight.t(), None if self.bias is None else self.bias[outputs])
        return product

    def _affine(self, outputs: slice) -> tuple[Tensor, Tensor]:
        """What numbers are multiplied by, and what is added then."""
        scales, offsets = self._scales[:, outputs].float().unbind(-1)
        return scales.contiguous(), offsets - _MIDDLE * scales


class Int4Cuda(Int4):
    """torch's product for NVIDIA GPUs. It computes in bfloat16."""

    name = "int4 of cuda"

    @staticmethod
    def _pack(numbers: Tensor) -> Tensor:
        pairs = (numbers[:, ::2] << 4 | numbers[:, 1::2]).to(torch.uint8)
        packed: Tensor = torch.ops.aten._convert_weight_to_int4pack(pairs, 8)
        return packed

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features).bfloat16()
        return self.finished(torch.ops.aten._weight_int4pack_mm(rows, self._numbers, GROUP, self._scales), x)

    @property
    def weight(self) -> Tensor:
        units = torch.eye(self.in_features, dtype=torch.bfloat16, device=self._numbers.device)
        weight: Tensor = torch.ops.aten._weight_int4pack_mm(units, self._numbers, GROUP, self._scales).t()
        return weight.to(self.dtype)


def _unpacked(packed: Tensor, inputs: int, block: int) -> Tensor:
    """The numbers [in_features, out_features] of a packed weight: two in a byte, half a block of outputs apart."""
    halves = packed.view(-1, inputs, block // 2)
    return torch.cat((halves & _MOST, halves >> 4), -1).transpose(0, 1).reshape(inputs, -1)


def _block_of(form: Int4) -> int:
    """How many outputs lie together here, found by a weight that is known. Raises RuntimeError where none is right."""
    outputs, inputs = form.out_features, 2
    known = torch.arange(outputs * inputs, dtype=torch.int32).view(outputs, inputs) % 13
    packed = form._pack(known)
    for block in _BLOCKS:
        if outputs % block == 0 and torch.equal(_unpacked(packed, inputs, block).t().int(), known):
            return block
    raise RuntimeError("numbers of four bits are packed in a way that is not known here")
