"""Attention over blocks gives each token what attention over its whole text gives it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from llamafarm_universal.host.engines.text.block_store import BlockStore, LayerShape
from llamafarm_universal.host.engines.text.kv_cache import blocks_for
from llamafarm_universal.host.engines.text.paged import PagedAttention, Span
from torch import Tensor

SIZE = 16
LENGTH = 700


def random_text(heads: int, key_heads: int) -> list[Tensor]:
    """Queries, keys and values."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, count, LENGTH, SIZE, generator=generator) for count in (heads, key_heads, key_heads)]


def in_pieces(text: list[Tensor], sizes: list[int], window: int | None) -> Tensor:
    """Read a text in pieces of these sizes, beside another one that reads one token: [tokens, heads, size]."""
    store = BlockStore({0: LayerShape(text[1].shape[1], SIZE, SIZE, torch.float32)}, blocks_for(LENGTH) + 9, "cpu")
    pieces, past = [], 0
    for size in sizes:
        spans = [Span(0, 1, 20, [0, 1]), Span(1, size, past, range(5, 5 + blocks_for(LENGTH)))]
        other = [torch.ones(1, tensor.shape[1], 1, SIZE) for tensor in text]
        own = [tensor[:, :, past : past + size] for tensor in text]
        query, key, value = (torch.cat(pair, dim=2) for pair in zip(other, own, strict=True))
        options = {"scaling": SIZE**-0.5, "sliding_window": window}
        output = PagedAttention(store, spans, "cpu").attend(SimpleNamespace(layer_idx=0), query, key, value, options)
        pieces.append(output[0, 1:])
        past += size
    return torch.cat(pieces)


def at_once(text: list[Tensor], window: int | None) -> Tensor:
    places = torch.arange(LENGTH)
    distance = places[:, None] - places
    seen = (distance >= 0) & (distance < (window or LENGTH))
    product = torch.nn.functional.scaled_dot_product_attention(*text, attn_mask=seen, enable_gqa=True)
    return product[0].transpose(0, 1)


@pytest.mark.parametrize("window", [None, 100])
@pytest.mark.parametrize("heads", [(4, 4), (6, 2), (4, 1)])
@pytest.mark.parametrize("sizes", [[700], [512, 180, 8], [1, 127, 5, 400, 150, 1, 16]], ids=["whole", "large", "odd"])
def test_a_text_in_pieces_gets_what_it_gets_at_once(
    sizes: list[int], heads: tuple[int, int], window: int | None
) -> None:
    text = random_text(*heads)
    assert torch.allclose(in_pieces(text, sizes, window), at_once(text, window), atol=1e-6)
