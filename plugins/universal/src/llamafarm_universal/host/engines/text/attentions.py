"""Which ways there are to compute attention on a device, the fastest first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from llamafarm_universal.host.engines.text.block_store import BlockStore
from llamafarm_universal.host.engines.text.flash_attention import FlashAttention
from llamafarm_universal.host.engines.text.one_token_attention import Product, copied_product
from llamafarm_universal.host.engines.text.paged import PagedAttention, Span
from llamafarm_universal.host.models.attention import Attention

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attentions:
    """of_texts: makes the attention of a step. of_one_token: computes it where each text reads one token, in a way that
    can be recorded.
    """

    of_texts: Callable[[BlockStore, Sequence[Span], str], Attention]
    of_one_token: Product

    @property
    def names(self) -> str:
        return f"{getattr(self.of_texts, '__name__', '')} and {getattr(self.of_one_token, '__name__', '')}"


def attentions_of(device: str) -> list[Attentions]:
    """All that may work on a device. What does is seen when a model is tried."""
    if device != "cuda":
        return [Attentions(PagedAttention, copied_product)]
    return [Attentions(*pair) for pair in product((FlashAttention, PagedAttention), _of_one_token())]


def _of_one_token() -> list[Product]:
    try:
        from llamafarm_universal.host.engines.text.decode_attention import attend_one_token
    except ImportError as error:
        log.info("Triton is not there, so that keys and values are copied in each step: %s", error)
        return [copied_product]
    return [attend_one_token, copied_product]
