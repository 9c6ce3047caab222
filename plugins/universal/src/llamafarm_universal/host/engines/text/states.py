"""What models with states remember of their texts: caches of transformers, with a row for each text of a step.

The attention of a hybrid has its keys and values elsewhere, so that rows are of one size however long their texts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import (
    Cache,
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)

from llamafarm_universal.host.engines.text.pageable import NotPaged

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class State:
    """What a model remembers of one text: a row of a cache that has so many rows."""

    cache: Cache
    row: int
    rows: int

    @property
    def nbytes(self) -> int:
        """Bytes of the row."""
        layers = [layer for layer in self.cache.layers if isinstance(layer, LinearAttentionLayer)]
        tensors = [tensor for layer in layers for tensor in (*_held(layer.conv_states), *_held(layer.recurrent_states))]
        return sum(int(tensor.nbytes) for tensor in tensors) // self.rows


class StateCaches:
    """Makes the caches of a model. Raises NotPaged for one that does not use the common layers of transformers.

    attends: whether some layers have attention. windows: those of them that look at a part of the text only.
    """

    def __init__(self, config: Any) -> None:
        layers = DynamicCache(config=config).layers
        self.windows = {at for at, layer in enumerate(layers) if isinstance(layer, DynamicSlidingWindowLayer)}
        self._layers = [_without_keys(layer) for layer in layers]
        self.attends = any(isinstance(layer, DynamicLayer) for layer in layers)
        if not any(isinstance(layer, LinearAttentionLayer) for layer in layers):
            raise NotPaged("the model has no states")

    def stacked(self, states: Sequence[State | None]) -> Cache:
        """A cache for texts in that order: the very one that holds them so, or a new one. None: nothing is read yet."""
        known = [state for state in states if state is not None]
        if not known:
            return Cache([_without_keys(layer) for layer in self._layers])
        first = known[0]
        if first.rows == len(known) and all(s.cache is first.cache and s.row == row for row, s in enumerate(known)):
            return first.cache
        return Cache([_joined(known, at) for at in range(len(self._layers))])


def _joined(states: Sequence[State], at: int) -> Any:
    """One layer of a cache, with the rows of several texts."""
    sources = [(state.cache.layers[at], state.row) for state in states]
    layer = copy(sources[0][0])
    if isinstance(layer, LinearAttentionLayer):
        layer.conv_states = _rows([(source.conv_states, row) for source, row in sources])
        layer.recurrent_states = _rows([(source.recurrent_states, row) for source, row in sources])
    return layer


def _rows(sources: Sequence[tuple[dict[int, Tensor | None], int]]) -> dict[int, Tensor | None]:
    """A model may leave some states of a layer empty, then for all texts."""
    joined: dict[int, Tensor | None] = {}
    for index in sources[0][0]:
        rows = [(states[index], row) for states, row in sources]
        kept = [tensor[row : row + 1] for tensor, row in rows if tensor is not None]
        joined[index] = torch.cat(kept) if kept else None
    return joined


def _held(states: dict[int, Tensor | None]) -> list[Tensor]:
    return [tensor for tensor in states.values() if tensor is not None]


class _KeyFree:
    """A layer whose keys and values are left to the attention."""

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return keys, values

    def get_seq_length(self) -> int:
        """Positions are given to the model, so nothing is computed from it."""
        return 0


class _Attention(_KeyFree, DynamicLayer):  # type: ignore[misc]
    pass


class _StatesAndAttention(_KeyFree, LinearAttentionAndFullAttentionLayer):  # type: ignore[misc]
    pass


def _without_keys(layer: Any) -> Any:
    """A new layer like it. Raises NotPaged for a kind that nothing is known of."""
    match layer:
        case LinearAttentionAndFullAttentionLayer() | LinearAttentionAndSlidingWindowAttentionLayer():
            return _StatesAndAttention(layer.number_of_states)
        case LinearAttentionLayer():
            return LinearAttentionLayer(layer.number_of_states)
        case DummyLayer():
            return DummyLayer()
        case _Attention() | DynamicSlidingWindowLayer():
            return _Attention()
    if type(layer) is DynamicLayer:
        return _Attention()
    raise NotPaged(f"the model's cache has layers of the kind {type(layer).__name__}")
