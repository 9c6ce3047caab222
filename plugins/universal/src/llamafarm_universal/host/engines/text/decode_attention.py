"""Attention of texts that read one token each, over the blocks of a KV cache: a kernel for GPUs.

Nothing is copied: each program reads the keys and values of one text and one key head where they lie, for all query
heads that share them, and writes those of the token. A long text is read in parts by several programs, whose results
are put together then.
Needs Triton, which comes with torch for CUDA.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
import triton

from llamafarm_universal.host.engines.text.decode_kernel import put_together, read_part
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_ROWS = 16
"""Of a matrix product in Triton."""
_TILE_BYTES = 16_384
"""Of keys that a program holds at once: those of 64 tokens with 128 numbers of half precision each."""
_PART_TOKENS = 256
"""So many tokens at least are a part."""
_PROGRAMS = 256
"""So many keep a GPU busy."""


def attend_one_token(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cache: tuple[Tensor, Tensor],
    blocks: Tensor,
    positions: Tensor,
    options: Mapping[str, Any],
) -> Tensor:
    """Each text's token looks at those of its text up to itself. Returns [texts, heads, value size].

    query: [texts, heads, size]. key, value: [texts, key heads, size], which are put into the cache. cache: keys and
    values [key heads, blocks * BLOCK_TOKENS, size]. blocks: int64 [texts, blocks of each]. positions: int64 [texts].
    options: `scaling`, and as models have them `sliding_window`, `softcap` (Gemma 2) and `s_aux`, the sinks of gpt-oss.
    """
    keys, values = cache
    (texts, heads, size), (key_heads, slots, value_size) = query.shape, values.shape
    group, sinks = heads // key_heads, options.get("s_aux")
    width = max(triton.next_power_of_2(size), triton.next_power_of_2(value_size), 16)
    parts = _parts(texts * key_heads, blocks.shape[1] * BLOCK_TOKENS)
    query, key, value = (each if each.stride(2) == 1 else each.contiguous() for each in (query, key, value))
    output = query.new_empty(texts, heads, value_size)
    sums = query.new_empty((texts, heads, parts, value_size + 2), dtype=torch.float32) if parts > 1 else output
    read_part[(texts, key_heads, parts)](
        query,
        key,
        value,
        keys,
        values,
        blocks,
        positions,
        sinks,
        sums,
        *(stride for each in (query, key, value) for stride in each.stride()[:2]),
        blocks.shape[1],
        slots,
        options.get("scaling") or size**-0.5,
        softcap=options.get("softcap"),
        window=options.get("sliding_window"),
        size=size,
        value_size=value_size,
        width=width,
        key_heads=key_heads,
        group=group,
        rows=max(_LEAST_ROWS, triton.next_power_of_2(group)),
        block_tokens=BLOCK_TOKENS,
        tile=max(16, min(128, _TILE_BYTES // (width * keys.itemsize))),
        parts=parts,
        num_stages=2,
    )
    if parts > 1:
        put_together[(texts, heads)](
            sums, output, value_size=value_size, width=width, parts=parts, places=triton.next_power_of_2(parts)
        )
    return output


def _parts(programs: int, tokens: int) -> int:
    """In how many parts texts are read: of a whole cache, so that it is the same in each step that is replayed."""
    return max(1, min(-(-tokens // _PART_TOKENS), _PROGRAMS // programs))
