"""What an adapter changes of what one layer computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch.nn.functional import embedding, linear

from llamafarm_universal.host.models.linears.form import bytes_of

if TYPE_CHECKING:
    from torch import Tensor


class Change(Protocol):
    """takes_ids: whether the layer is given ids of tokens, and not numbers. memory_bytes: of all that it holds."""

    takes_ids: bool

    @property
    def memory_bytes(self) -> int: ...

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        """What the layer gives with the change. x: what it is given. product: what it gives without."""
        ...


@dataclass(frozen=True, eq=False)
class LowRank:
    """`x · downᵀ · upᵀ` is added. down: [rank, inputs]. up: [outputs, rank], with the scale in it."""

    down: Tensor
    up: Tensor
    takes_ids = False

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        changed: Tensor = product + linear(linear(x.to(self.down.dtype), self.down), self.up).to(product.dtype)
        return changed

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self.down, self.up)


@dataclass(frozen=True, eq=False)
class Decomposed:
    """DoRA: the changed weight has rows of a length that was trained.

    rows: by how much each output's row is longer than that of the weight and its change. bias: the layer's own.
    """

    change: LowRank
    rows: Tensor
    bias: Tensor | None
    takes_ids = False

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        if self.bias is None:
            changed: Tensor = self.change.of(x, product) * self.rows
            return changed
        return self.change.of(x, product - self.bias) * self.rows + self.bias

    @property
    def memory_bytes(self) -> int:
        return self.change.memory_bytes + bytes_of(self.rows)


@dataclass(frozen=True, eq=False)
class Shifted:
    """A bias that was trained. change: what else is changed of the layer. shift: what is added: [outputs]."""

    change: Change | None
    shift: Tensor
    takes_ids = False

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        changed = product if self.change is None else self.change.of(x, product)
        shifted: Tensor = changed + self.shift.to(product.dtype)
        return shifted

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self.shift) + (self.change.memory_bytes if self.change else 0)


@dataclass(frozen=True, eq=False)
class LowRankEmbedding:
    """The same for a layer that looks up tokens. down: [tokens, rank]. up: [outputs, rank], with the scale in it."""

    down: Tensor
    up: Tensor
    takes_ids = True

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        changed: Tensor = product + linear(embedding(x, self.down), self.up).to(product.dtype)
        return changed

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self.down, self.up)


@dataclass(frozen=True, eq=False)
class Replaced:
    """A linear layer that was trained as a whole. weight: [outputs, inputs]."""

    weight: Tensor
    bias: Tensor | None
    takes_ids = False

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        changed: Tensor = linear(x.to(self.weight.dtype), self.weight, self.bias).to(product.dtype)
        return changed

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self.weight, self.bias)


@dataclass(frozen=True, eq=False)
class ReplacedEmbedding:
    """A table of tokens that was trained as a whole. table: [tokens, outputs], with the layer's scale in it."""

    table: Tensor
    takes_ids = True

    def of(self, x: Tensor, product: Tensor) -> Tensor:
        changed: Tensor = embedding(x, self.table).to(product.dtype)
        return changed

    @property
    def memory_bytes(self) -> int:
        return bytes_of(self.table)
