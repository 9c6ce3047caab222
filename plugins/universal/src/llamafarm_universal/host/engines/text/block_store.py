"""The keys and values of all texts, in blocks: what each layer keeps of a token, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS
from llamafarm_universal.host.engines.text.pageable import NotPaged

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LayerShape:
    """The numbers that one layer keeps of each token."""

    heads: int
    key_size: int
    value_size: int
    dtype: torch.dtype

    @property
    def token_bytes(self) -> int:
        return self.heads * (self.key_size + self.value_size) * int(self.dtype.itemsize)


def by_block(cache: Tensor) -> Tensor:
    """What a layer keeps, [heads, slots, size], as [heads, blocks, BLOCK_TOKENS, size]."""
    return cache.unflatten(1, (-1, BLOCK_TOKENS))


class BlockStore:
    """The keys and values of all layers: [heads, blocks * BLOCK_TOKENS, size] each.

    So the tokens that a head looks at lie behind one another, where blocks do: with the heads of a token side by side,
    torch's attention takes up to twice as long for a few tokens of a long text.
    """

    def __init__(self, shapes: Mapping[int, LayerShape], blocks: int, device: str) -> None:
        self.blocks = blocks

        def zeros(shape: LayerShape, size: int) -> Tensor:
            return torch.zeros(shape.heads, blocks * BLOCK_TOKENS, size, dtype=shape.dtype, device=device)

        self.keys = {layer: zeros(shape, shape.key_size) for layer, shape in shapes.items()}
        self.values = {layer: zeros(shape, shape.value_size) for layer, shape in shapes.items()}

    def write(self, layer: int, slots: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put what a layer keeps of tokens, [1, heads, tokens, size] each, into slots. Returns all that it keeps."""
        keys, values = self.keys[layer], self.values[layer]
        keys.index_copy_(1, slots, key[0])
        values.index_copy_(1, slots, value[0])
        return keys, values

    def wipe(self, blocks: Sequence[int]) -> None:
        """Forget what blocks hold: what is no number in one text would spoil the next one, even where it is masked."""
        for cache in (*self.keys.values(), *self.values.values()):
            by_block(cache)[:, list(blocks)] = 0


class Shapes:
    """An attention that notes what each layer keeps of a token."""

    def __init__(self) -> None:
        self.by_layer: dict[int, LayerShape] = {}
        self.windows: dict[int, int | None] = {}

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        if module.layer_idx in self.by_layer:
            raise NotPaged("several attentions share a layer")
        self.by_layer[module.layer_idx] = LayerShape(key.shape[1], key.shape[3], value.shape[3], key.dtype)
        self.windows[module.layer_idx] = options.get("sliding_window")
        return query.new_zeros(1, query.shape[2], query.shape[1], value.shape[3])
