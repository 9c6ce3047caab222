"""Attention that an engine computes itself, inside the modules of transformers.

A model's own forward runs as it is; only the product of queries, keys and values is handed to whoever has called
`attending`. Outside of it, and for models that do not leave their attention to others, nothing changes.
Source: transformers, AttentionInterface.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

NAME = "llamafarm"
"""Of the implementation, as transformers knows it."""


class Attention(Protocol):
    """Computes the attention of one layer."""

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]) -> Tensor:
        """query: [1, heads, tokens, size]; key, value: [1, key heads, tokens, size]. Returns [1, tokens, heads, size].

        module: the layer's attention module. options: what the model adds, such as `scaling` and `sliding_window`.
        """
        ...


_current: ContextVar[Attention | None] = ContextVar("attention", default=None)


@contextmanager
def attending(attention: Attention) -> Iterator[None]:
    """Within it, the attention of each layer is left to this one."""
    token = _current.set(attention)
    try:
        yield
    finally:
        _current.reset(token)


def leave_attention(module: Any, implementations: tuple[str, ...] = ("sdpa",)) -> bool:
    """Have a model leave its attention to whoever is `attending`; whether it can.

    implementations: of those that the model may be set to now. Outside of `attending` it then computes as with `sdpa`.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    implementation = getattr(module.config, "_attn_implementation", None)
    if implementation == NAME:
        return True
    if implementation not in implementations or not module._can_set_attn_implementation():
        return False
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    module.set_attn_implementation(NAME)
    return True


def no_mask(ids: Tensor) -> Tensor:
    """What a model is given as attention mask where `attending` knows better: it is passed on and never looked at.

    A mask of four dimensions is taken for one that is complete, so that none is made of the positions.
    """
    return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=ids.device)


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    current = _current.get()
    if current is not None:
        return current.attend(module, query, key, value, options), None
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output, None
