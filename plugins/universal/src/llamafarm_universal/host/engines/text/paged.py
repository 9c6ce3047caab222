"""Attention over the blocks of a KV cache, for all texts of a step at once.

The tokens of all texts lie behind one another, as one row. Each layer puts their keys and values into the blocks, then
each token looks at the tokens of its own text that are there. Texts that read one token are computed together.

What a next token gets must not depend on its company, not even in the last bit: one that is drawn close to a border
would become another. torch's products of matrices keep to that where no side is very short, so that whole blocks are
read, the rest of them masked, and a few tokens of a text are filled up to _LEAST_ROWS, those of all heads that share a
key counted. (A prompt may differ in the last bits by how it is cut into pieces.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.text.block_store import BlockStore, by_block
from llamafarm_universal.host.engines.text.context import Reading
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, blocks_for
from llamafarm_universal.host.engines.text.masks import spans_mask
from llamafarm_universal.host.engines.text.pageable import check_options
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_ROWS = 8


@dataclass(frozen=True)
class Span:
    """Tokens of one text in a step. past: how many are in the cache before them. blocks: of the text, with room for
    them. begin: where they stand among the tokens of the step. both_ways: tokens of the text that look at one another,
    whichever comes first: where each such piece begins and ends.
    """

    begin: int
    count: int
    past: int
    blocks: Sequence[int]
    both_ways: Sequence[tuple[int, int]] = ()

    @property
    def length(self) -> int:
        return self.past + self.count

    @property
    def slots(self) -> list[int]:
        """Where its tokens go: their places in a cache without blocks."""
        places = range(self.past, self.length)
        return [self.blocks[place // BLOCK_TOKENS] * BLOCK_TOKENS + place % BLOCK_TOKENS for place in places]


def spans_of(readings: Sequence[Reading]) -> list[Span]:
    """Of texts that have blocks, behind one another."""
    spans, begin = [], 0
    for reading in readings:
        context, count = reading.context, len(reading.tokens)
        assert context.table is not None, "a text is read that has no blocks"
        both_ways = context.media.both_ways(context.stored, context.stored + count) if context.media else ()
        spans.append(Span(begin, count, context.stored, context.table.blocks, both_ways))
        begin += count
    return spans


class PagedAttention:
    """One step's attention. spans: those of one token first, sorted by their length."""

    def __init__(self, store: BlockStore, spans: Sequence[Span], device: str) -> None:
        self._store = store
        self._device = device
        self._spans = spans
        self._singles = [span for span in spans if span.count == 1]
        self._slots = to_device([slot for span in spans for slot in span.slots], device)
        self._reads: dict[tuple[int | None, int], list[_Read]] = {}

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        check_options(options)
        keys, values = self._store.write(module.layer_idx, self._slots, key, value)
        output = query.new_empty(query.shape[2], query.shape[1], value.shape[3])
        together = 1 if _is_plain(options) else query.shape[1] // key.shape[1]
        for read in self._reads_of(options.get("sliding_window"), together, query.dtype):
            read.attend(query[0], keys, values, options, output)
        return output[None]

    def _reads_of(self, window: int | None, together: int, dtype: torch.dtype) -> list[_Read]:
        """How each span reads the cache; the same in all layers of one window where as many heads share a key."""
        if (window, together) not in self._reads:
            groups = [*_alike(self._singles), *([span] for span in self._spans[len(self._singles) :])]
            reads = [_Read.of(group, window, together, dtype, self._device) for group in groups]
            self._reads[window, together] = reads
        return self._reads[window, together]


@dataclass(frozen=True)
class _Read:
    """What some spans read in each layer: as many blocks each.

    begin, end: their tokens among those of the step. blocks: [spans * blocks of each], or a slice where they lie in one
    piece. rows: the tokens of each span, filled up. mask: what is added to the scores of the tokens that are read, for
    each row and, where there are several, for each head that is computed together with others: [spans, 1, rows of all
    these heads, tokens read].
    """

    begin: int
    end: int
    spans: int
    blocks: Tensor | slice
    rows: int
    mask: Tensor

    @classmethod
    def of(cls, spans: Sequence[Span], window: int | None, together: int, dtype: torch.dtype, device: str) -> _Read:
        """together: how many heads share a key and are computed as one."""
        first = [0 if window is None else max(0, span.past + 1 - window) // BLOCK_TOKENS for span in spans]
        counts = [blocks_for(span.length) - start for span, start in zip(spans, first, strict=True)]
        most = max(counts)
        tables = [
            [*span.blocks[start : start + count], *[0] * (most - count)]
            for span, start, count in zip(spans, first, counts, strict=True)
        ]
        begins = [start * BLOCK_TOKENS for start in first]
        blocks = [block for table in tables for block in table]
        in_one_piece = len(spans) == 1 and blocks == list(range(blocks[0], blocks[0] + most))
        least = -(-_LEAST_ROWS // together)
        rows = 1 if spans[0].count == 1 else -(-spans[0].count // least) * least
        mask = spans_mask(spans, rows, begins, most * BLOCK_TOKENS, window, device, dtype)
        return cls(
            spans[0].begin,
            spans[-1].begin + spans[-1].count,
            len(spans),
            slice(blocks[0], blocks[0] + most) if in_one_piece else to_device(blocks, device),
            rows,
            mask if rows == 1 else mask.repeat(1, 1, together, 1),
        )

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, options: Mapping[str, Any], output: Tensor) -> None:
        own = query[:, self.begin : self.end].unflatten(1, (self.spans, -1)).transpose(0, 1)
        tokens = own.shape[2]
        filled = torch.nn.functional.pad(own, (0, 0, 0, self.rows - tokens))
        product = product_of(filled, self._of(keys), self._of(values), self.mask, options)
        output[self.begin : self.end] = product[:, :, :tokens].transpose(1, 2).flatten(0, 1)

    def _of(self, cache: Tensor) -> Tensor:
        """[spans, heads, tokens read, size]"""
        blocks = by_block(cache)
        read = blocks[:, self.blocks] if isinstance(self.blocks, slice) else blocks.index_select(1, self.blocks)
        return read.view(cache.shape[0], self.spans, -1, cache.shape[2]).transpose(0, 1)


def product_of(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, options: Mapping[str, Any]) -> Tensor:
    """query: [spans, heads, tokens, size]; keys, values: [spans, key heads, tokens read, size]; mask: what is added to
    the scores, for several tokens those of each head that shares a key. Returns a tensor as the query.
    """
    if _is_plain(options):
        return _plain_product(query, keys, values, mask, options)
    # The heads that share a key are computed as if they were tokens: no key is read or copied for each of them.
    together = query.reshape(query.shape[0], keys.shape[1], -1, query.shape[3])
    attend = torch.nn.functional.scaled_dot_product_attention
    product = attend(together, keys, values, mask, scale=options.get("scaling"))
    return product.reshape(*query.shape[:3], values.shape[3])


def _is_plain(options: Mapping[str, Any]) -> bool:
    """Whether attention has to be computed without torch's own product."""
    return options.get("softcap") is not None or options.get("s_aux") is not None


def _plain_product(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, options: Mapping[str, Any]) -> Tensor:
    """With what torch's own product lacks: scores that are capped (Gemma 2), and sinks (gpt-oss).

    Source: the eager attention of transformers' models.
    """
    grouped = query.unflatten(1, (keys.shape[1], -1))
    scores = grouped @ keys[:, :, None].transpose(-1, -2) * options["scaling"]
    if (cap := options.get("softcap")) is not None:
        scores = torch.tanh(scores / cap) * cap
    scores = scores.flatten(1, 2) + mask
    if (sinks := options.get("s_aux")) is not None:
        scores = torch.cat([scores, sinks.reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1)], dim=-1)
    shares = scores.float().softmax(-1).to(values.dtype)[..., : keys.shape[2]]
    return (shares.unflatten(1, (keys.shape[1], -1)) @ values[:, :, None]).flatten(1, 2)


def _alike(singles: Sequence[Span]) -> list[list[Span]]:
    """Spans that are read together: none is padded to more than twice its length, beyond a few blocks."""
    groups: list[list[Span]] = []
    for span in singles:
        if groups and span.length <= max(2 * groups[-1][0].length, 8 * BLOCK_TOKENS):
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups
