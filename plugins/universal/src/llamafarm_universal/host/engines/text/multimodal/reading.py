"""What a step reads of texts with media: the vectors in their places, and positions on several axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from llamafarm_universal.host.engines.text.context import Reading
from llamafarm_universal.host.engines.text.multimodal.tower import ADDED
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

MASK = "visual_pos_masks"
"""Where these models are told in which places they are added."""


class VectorsAt(NamedTuple):
    """Vectors, [1 + layers, places, size], that stand in some places among the tokens of a step, or are added there."""

    places: list[int]
    vectors: Tensor


def vectors_in(readings: Sequence[Reading]) -> list[VectorsAt]:
    """The vectors of all media that are read in a step, of texts behind one another."""
    vectors: list[VectorsAt] = []
    begin = 0
    for reading in readings:
        context = reading.context
        end = context.stored + reading.count
        for medium in context.media.within(context.stored, end) if context.media else ():
            assert medium.vectors is not None, "it is seen before it is read"
            chosen = [at for at, place in enumerate(medium.places) if context.stored <= place < end]
            places = [begin + medium.places[at] - context.stored for at in chosen]
            if chosen:
                vectors.append(VectorsAt(places, medium.vectors[:, chosen[0] : chosen[-1] + 1]))
        begin += len(reading.tokens)
    return vectors


def embedded(module: Any, ids: Tensor, vectors: Sequence[VectorsAt]) -> Tensor:
    """The embeddings of tokens [1, tokens], with vectors in the places of some: [1, tokens, size]."""
    embeddings: Tensor = module.get_input_embeddings()(ids).clone()
    for item in vectors:
        embeddings[0].index_copy_(0, to_device(item.places, ids.device), item.vectors[0].to(embeddings.dtype))
    return embeddings


@contextmanager
def added(module: Any, ids: Tensor, vectors: Sequence[VectorsAt]) -> Iterator[None]:
    """Within it, the text model of a model adds vectors to the states of tokens [1, tokens] behind its first layers."""
    layers = len(vectors[0].vectors) - 1 if vectors else 0
    if not layers:
        yield
        return
    places = torch.zeros_like(ids, dtype=torch.bool)
    places[0, to_device([place for item in vectors for place in item.places], ids.device)] = True
    behind = [torch.cat([item.vectors[1 + layer] for item in vectors]) for layer in range(layers)]

    def give(_module: Any, given: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return given, {**options, MASK: places, ADDED: behind}

    hook = module.get_decoder().register_forward_pre_hook(give, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def positions_of(readings: Sequence[Reading]) -> Any:
    """The positions of all tokens of a step: [1, tokens], or [axes, 1, tokens] where any text has several axes."""
    axes = max((len(reading.context.media.positions or ()) for reading in readings if reading.context.media), default=0)
    rows = [[place for reading in readings for place in _positions(reading, axis)] for axis in range(max(1, axes))]
    return torch.tensor(rows)[:, None] if axes else rows


def _positions(reading: Reading, axis: int) -> Sequence[int]:
    begin = reading.context.stored
    end = begin + len(reading.tokens)
    return reading.context.media.positions_of(axis, begin, end) if reading.context.media else range(begin, end)
