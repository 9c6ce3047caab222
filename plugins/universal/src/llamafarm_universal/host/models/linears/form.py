"""What a linear layer is exchanged for: a module that computes the same product in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Form(torch.nn.Module):  # type: ignore[misc]  # torch is not type-checked
    """One way to compute `x @ weight.T + bias`, for an x of any shape [..., in_features].

    name: how the trial's records call it. most_error: how far what it computes may be from the product, relative to it,
    beyond rounding. bits: of each number of the weight, where they are fewer than the layer had.
    """

    name: ClassVar[str]
    most_error: ClassVar[float] = 0.0
    bits: int | None = None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.dtype = weight.dtype
        # Plain attributes, not parameters: torch looks those up ten times as slowly, at every call.
        object.__setattr__(self, "bias", None if bias is None else bias.detach())

    @classmethod
    def make(cls, weight: Tensor, bias: Tensor | None) -> Self:
        """The form of a layer. weight: [out_features, in_features]. Raises where this processor cannot compute it."""
        return cls(weight, bias)

    def finished(self, product: Tensor, x: Tensor) -> Tensor:
        """The product of all rows of x, with the bias, in the shape and the number format of x.

        product: [rows, out_features], which may be changed.
        """
        if self.bias is not None:
            product = product.add_(self.bias)
        shaped: Tensor = product.to(x.dtype).view(*x.shape[:-1], self.out_features)
        return shaped

    @classmethod
    def beside(cls, other: Form, weight: Tensor, bias: Tensor | None) -> Form:
        """The form of a layer that has another one already, with which it shares what both hold, where it can."""
        del other
        return cls.make(weight, bias)

    def shares_with(self, other: Form) -> bool:
        """Whether two forms of one layer hold the same."""
        del other
        return False

    @property
    def weight(self) -> Tensor:
        """The weight as the original layer had it, made anew: for those few who look at it, not for products."""
        raise NotImplementedError

    @property
    def memory_bytes(self) -> int:
        """Bytes that are neither parameters nor buffers."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, {self.dtype}, bias={self.bias is not None}"


def bytes_of(*tensors: Any) -> int:
    """Bytes of tensors, whatever their layout; None counts nothing."""
    return sum(each.numel() * each.element_size() for each in tensors if each is not None)


def bytes_of_forms(module: torch.nn.Module) -> int:
    """Bytes that the forms in a module hold, which are neither parameters nor buffers."""
    return sum(each.memory_bytes for each in module.modules() if isinstance(each, Form))
