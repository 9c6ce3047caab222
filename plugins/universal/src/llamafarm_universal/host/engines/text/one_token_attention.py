"""Attention of texts that read one token each, out of fixed memory: what CUDA graphs can record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text.block_store import BlockStore, by_block
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS
from llamafarm_universal.host.engines.text.masks import mask_of
from llamafarm_universal.host.engines.text.pageable import check_options
from llamafarm_universal.host.engines.text.paged import product_of

if TYPE_CHECKING:
    from torch import Tensor

Cache = tuple["Tensor", "Tensor"]
"""The keys and values of a layer: [key heads, blocks * BLOCK_TOKENS, size] each."""
Product = Callable[["Tensor", "Tensor", "Tensor", Cache, "Tensor", "Tensor", Mapping[str, Any]], "Tensor"]
"""The attention of texts that read one token each: as `decode_attention.attend_one_token`."""


class OneTokenAttention:
    """Attention of texts that read one token each, all of them over as many blocks.

    numbers: int64 [rows * (2 + blocks)]: the tokens, their positions, and the blocks of each text. All that a step
    depends on is read there when it is computed, so that the same computation serves the next step. rows: the number of
    each row.
    """

    def __init__(self, store: BlockStore, rows: int, blocks: int, device: str, product: Product) -> None:
        self.numbers = torch.zeros(rows * (2 + blocks), dtype=torch.long, device=device)
        self.ids, self.positions, table = self.numbers.split([rows, rows, rows * blocks])
        self.rows = torch.arange(rows, device=device)
        self._blocks = table.view(rows, blocks)
        self._store = store
        self._product = product

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        check_options(options)
        cache = self._store.keys[module.layer_idx], self._store.values[module.layer_idx]
        own, new_key, new_value = (each[0].transpose(0, 1) for each in (query, key, value))
        return self._product(own, new_key, new_value, cache, self._blocks, self.positions, options)[None]


def copied_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cache: Cache,
    blocks: Tensor,
    positions: Tensor,
    options: Mapping[str, Any],
) -> Tensor:
    """As `decode_attention.attend_one_token`, for devices without that kernel: keys and values are copied before."""
    block = blocks.gather(1, positions[:, None] // BLOCK_TOKENS)[:, 0]
    slots = block * BLOCK_TOKENS + positions % BLOCK_TOKENS
    for kept, new in zip(cache, (key, value), strict=True):
        kept.index_copy_(1, slots, new.transpose(0, 1))
    distance = positions[:, None] - torch.arange(blocks.shape[1] * BLOCK_TOKENS, device=blocks.device)
    mask = mask_of(distance, options.get("sliding_window"), query.dtype)[:, None, None]
    own_keys, own_values = (by_block(kept)[:, blocks].flatten(2, 3).transpose(0, 1) for kept in cache)
    return product_of(query[:, :, None], own_keys, own_values, mask, options)[:, :, 0]
