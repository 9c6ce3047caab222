"""Kernels for GPUs, in Triton: attention of texts that read one token each. `decode_attention` launches them.

Sources: Flash-Decoding (https://pytorch.org/blog/flash-decoding); online softmax, arXiv:1805.02867.
"""

# ruff: noqa: ANN001, ANN201 - Triton compiles these functions, and takes other annotations than its own for code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl


@triton.jit
def read_part(
    query,
    new_keys,
    new_values,
    keys,
    values,
    blocks,
    positions,
    sinks,
    sums,
    query_stride,
    query_head_stride,
    key_stride,
    key_head_stride,
    value_stride,
    value_head_stride,
    most_blocks,
    slots,
    scale,
    softcap: tl.constexpr,
    window: tl.constexpr,
    size: tl.constexpr,
    value_size: tl.constexpr,
    width: tl.constexpr,
    key_heads: tl.constexpr,
    group: tl.constexpr,
    rows: tl.constexpr,
    block_tokens: tl.constexpr,
    tile: tl.constexpr,
    parts: tl.constexpr,
):
    """One part of one text, for the query heads that share one key head. The first part also has the token itself.

    sums: the output where there is one part; else float32 [texts, heads, parts, value_size + 2], the last two of which
    are the largest score and the sum of what the scores weigh.
    """
    text, key_head, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    head_slots = key_head.to(tl.int64) * slots
    past = tl.load(positions + text)
    first = 0 * past
    if window is not None:
        first = tl.maximum(past + 1 - window, 0)
    part_tokens = tl.cdiv(past, parts * tile) * tile
    begin = tl.maximum(part * part_tokens, first // tile * tile)
    end = tl.minimum((part + 1) * part_tokens, past)

    row, column = tl.arange(0, rows), tl.arange(0, width)
    head = key_head * group + row
    is_head, is_key, is_value = row < group, column < size, column < value_size
    places = query + text * query_stride + head[:, None] * query_head_stride + column[None, :]
    asked = tl.load(places, mask=is_head[:, None] & is_key[None, :], other=0.0)

    peak = tl.full([rows], float("-inf"), tl.float32)
    total = tl.zeros([rows], tl.float32)
    gathered = tl.zeros([rows, width], tl.float32)
    if part == 0:
        key = tl.load(new_keys + text * key_stride + key_head * key_head_stride + column, mask=is_key, other=0.0)
        value = tl.load(
            new_values + text * value_stride + key_head * value_head_stride + column, mask=is_value, other=0.0
        )
        block = tl.load(blocks + text * most_blocks + past // block_tokens)
        slot = head_slots + block * block_tokens + past % block_tokens
        tl.store(keys + slot * size + column, key, mask=is_key)
        tl.store(values + slot * value_size + column, value, mask=is_value)
        peak = tl.sum(asked.to(tl.float32) * key[None, :].to(tl.float32), 1) * scale
        if softcap is not None:
            peak = (2 * tl.sigmoid(2 * peak / softcap) - 1) * softcap
        total += 1.0
        gathered += value[None, :].to(tl.float32)
        if sinks is not None:  # scores that weigh, and have no value
            sink = tl.load(sinks + head, mask=is_head, other=0.0).to(tl.float32)
            highest = tl.maximum(peak, sink)
            total = tl.exp(peak - highest) + tl.exp(sink - highest)
            gathered *= tl.exp(peak - highest)[:, None]
            peak = highest
    for start in range(begin, end, tile):
        token = start + tl.arange(0, tile)
        is_seen = (token >= first) & (token < end)
        block = tl.load(blocks + text * most_blocks + token // block_tokens, mask=is_seen, other=0)
        slot = head_slots + block * block_tokens + token % block_tokens
        is_read = is_seen[:, None] & is_key[None, :]
        key = tl.load(keys + slot[:, None] * size + column[None, :], mask=is_read, other=0.0)
        scores = tl.dot(asked, tl.trans(key), input_precision="ieee") * scale
        if softcap is not None:
            scores = (2 * tl.sigmoid(2 * scores / softcap) - 1) * softcap
        scores = tl.where(is_seen[None, :], scores, float("-inf"))
        highest = tl.maximum(peak, tl.max(scores, 1))
        base = tl.where(highest == float("-inf"), 0.0, highest)
        shares, shrunk = tl.exp(scores - base[:, None]), tl.exp(peak - base)
        is_read = is_seen[:, None] & is_value[None, :]
        value = tl.load(values + slot[:, None] * value_size + column[None, :], mask=is_read, other=0.0)
        total = total * shrunk + tl.sum(shares, 1)
        gathered = gathered * shrunk[:, None]
        gathered += tl.dot(shares.to(value.dtype), value, input_precision="ieee")
        peak = highest

    is_written = is_head[:, None] & is_value[None, :]
    line = (text * key_heads * group + head) * parts + part
    if parts == 1:
        result = gathered / total[:, None]
        tl.store(sums + line[:, None] * value_size + column[None, :], result.to(sums.dtype.element_ty), mask=is_written)
    else:
        place = sums + line * (value_size + 2)
        tl.store(place[:, None] + column[None, :], gathered, mask=is_written)
        tl.store(place + value_size, peak, mask=is_head)
        tl.store(place + value_size + 1, total, mask=is_head)


@triton.jit
def put_together(
    sums,
    output,
    value_size: tl.constexpr,
    width: tl.constexpr,
    parts: tl.constexpr,
    places: tl.constexpr,
):
    """The parts of one text and one query head."""
    line = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    part, column = tl.arange(0, places), tl.arange(0, width)
    is_part, is_value = part < parts, column < value_size
    begin = sums + (line * parts + part) * (value_size + 2)
    peak = tl.load(begin + value_size, mask=is_part, other=float("-inf"))
    total = tl.load(begin + value_size + 1, mask=is_part, other=0.0)
    weight = tl.exp(peak - tl.max(peak, 0))
    is_read = is_part[:, None] & is_value[None, :]
    gathered = tl.load(begin[:, None] + column[None, :], mask=is_read, other=0.0)
    result = tl.sum(gathered * weight[:, None], 0) / tl.sum(total * weight, 0)
    tl.store(output + line * value_size + column, result.to(output.dtype.element_ty), mask=is_value)
