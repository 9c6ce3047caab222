"""Vectors of pictures, and of their patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamafarm_universal.engine import EmbedPictures, Features
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.vision.head import PicturesHead
from llamafarm_universal.host.engines.vision.model import Seen

if TYPE_CHECKING:
    from torch import Tensor


class FeaturesHead(PicturesHead):
    """pools: whether the model has trained weights that make one vector; else it is that of its first token."""

    says = ("last_hidden_state", "pooler_output")

    def __init__(self, pictures: ProcessedPictures, *, pools: bool) -> None:
        super().__init__(pictures)
        self._pools = pools

    def item(self, work: EmbedPictures, row: Row, seen: Seen) -> Features:
        vectors = _patches(seen["last_hidden_state"], len(row)) if work.per_patch else self._pooled(seen)
        content = vectors.contiguous().numpy().astype("<f4").tobytes()
        return Features(tuple(vectors.shape), work.folder.keep(content, "application/octet-stream"))

    def _pooled(self, seen: Seen) -> Tensor:
        if self._pools and "pooler_output" in seen:
            return seen["pooler_output"].flatten()
        return seen["last_hidden_state"][0]


def _patches(states: Tensor, patches: int) -> Tensor:
    """[tokens, dimensions] of a transformer, whose patches stand behind all special tokens, or [dimensions, rows,
    columns] of a convolutional network, to [patches, dimensions]."""
    return states.flatten(1).T if states.ndim == 3 else states[-patches:]
