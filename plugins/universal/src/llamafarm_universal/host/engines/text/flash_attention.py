"""Attention of the texts of a step by the flash attention that torch has for NVIDIA GPUs: one product for all of them.

It computes in half precision, for texts of any length side by side. Keys and values are gathered from the blocks
before. What it lacks (capped scores, sinks, other number formats) `PagedAttention` computes.
Source: FlashAttention-2, arXiv:2307.08691; `torch.nn.attention.varlen` calls the same operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text.block_store import BlockStore, by_block
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, blocks_for
from llamafarm_universal.host.engines.text.pageable import check_options
from llamafarm_universal.host.engines.text.paged import PagedAttention, Span
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

_NUMBER_FORMATS = (torch.float16, torch.bfloat16)
_LARGEST_HEAD = 256
_HEAD_STEP = 8


class FlashAttention:
    """One step's attention on a GPU. spans: as of PagedAttention, which computes what this cannot."""

    def __init__(self, store: BlockStore, spans: Sequence[Span], device: str) -> None:
        self._store = store
        self._spans = spans
        self._device = device
        counts = [span.count for span in spans]
        lengths = [span.length for span in spans]
        blocks = [blocks_for(length) for length in lengths]
        self._most_asking, self._most_asked = max(counts), max(blocks) * BLOCK_TOKENS
        ends = accumulate(number * BLOCK_TOKENS for number in blocks)
        numbers = [
            [slot for span in spans for slot in span.slots],
            [block for span, number in zip(spans, blocks, strict=True) for block in span.blocks[:number]],
            [0, *accumulate(counts), 0, *ends, *lengths],
        ]
        together = to_device([number for each in numbers for number in each], device)
        slots, self._blocks, borders = together.split([len(each) for each in numbers])
        self._slots = slots
        places = len(spans) + 1
        self._begins, self._key_begins, self._lengths = borders.int().split([places, places, len(spans)])

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        if not _can_compute(query, value, options) or any(span.both_ways for span in self._spans):
            return self._plain.attend(module, query, key, value, options)
        check_options(options)
        keys, values = self._store.write(module.layer_idx, self._slots, key, value)
        window = options.get("sliding_window")
        product, *_ = torch.ops.aten._flash_attention_forward(
            query[0].transpose(0, 1),
            *(by_block(each).index_select(1, self._blocks).flatten(1, 2).transpose(0, 1) for each in (keys, values)),
            self._begins,
            self._key_begins,
            self._most_asking,
            self._most_asked,
            0.0,  # of dropout
            True,  # a token looks at none behind it
            False,
            scale=options.get("scaling"),
            window_size_left=None if window is None else window - 1,
            window_size_right=None if window is None else 0,
            seqused_k=self._lengths,
        )
        output: Tensor = product
        return output[None]

    @cached_property
    def _plain(self) -> PagedAttention:
        return PagedAttention(self._store, self._spans, self._device)


def _can_compute(query: Tensor, value: Tensor, options: Mapping[str, Any]) -> bool:
    size = query.shape[3]
    has_size = size == value.shape[3] and size <= _LARGEST_HEAD and not size % _HEAD_STEP
    is_known = query.dtype in _NUMBER_FORMATS and has_size
    return is_known and options.get("softcap") is None and options.get("s_aux") is None
