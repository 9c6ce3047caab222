"""How torch runs CLIP and its kin, which have pictures and texts in one space: a half for each, called a tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from llamafarm_universal.host.engines.encode.base import Encoder, Numbers
from llamafarm_universal.host.engines.encode.encoders import numbers_of, padded
from llamafarm_universal.host.engines.encode.rows import Pixels, Row

if TYPE_CHECKING:
    from torch import Tensor


class TextTower:
    """The half that reads texts."""

    pads = True

    def __init__(self, module: Any, filler: int) -> None:
        self._module = module
        self._device = str(module.device)
        self._filler = filler

    def encode(self, batch: Sequence[Row]) -> list[Numbers]:
        return self._vectors(padded(batch, self._filler, self._device))

    def _vectors(self, features: Mapping[str, Tensor]) -> list[Numbers]:
        with torch.inference_mode():
            return _normalized(self._module.get_text_features(**features, return_dict=True))


class PaddedTextTower(TextTower):
    """The half of SigLIP that reads texts: it reads their padding like everything else, as it did in training.

    length: to which they are padded; left: at their beginning.
    """

    def __init__(self, module: Any, filler: int, length: int, *, left: bool) -> None:
        super().__init__(module, filler)
        self._length = length
        self._left = left

    def encode(self, batch: Sequence[Row]) -> list[Numbers]:
        return self._vectors({"input_ids": torch.tensor([self._padded(row) for row in batch]).to(self._device)})

    def _padded(self, row: Row) -> list[int]:
        filling = [self._filler] * (self._length - len(row))
        return [*filling, *row.ids] if self._left else [*row.ids, *filling]


class PictureTower:
    """The half that reads pictures, of the same shapes in each batch."""

    pads = True

    def __init__(self, module: Any) -> None:
        self._module = module

    def encode(self, batch: Sequence[Row]) -> list[Numbers]:
        features = stacked(batch, self._module)
        with torch.inference_mode():
            return _normalized(self._module.get_image_features(**features, return_dict=True))


class Towers:
    """Both halves. A batch is of one kind: texts or pictures."""

    pads = True

    def __init__(self, texts: Encoder, pictures: Encoder) -> None:
        self._texts = texts
        self._pictures = pictures

    def encode(self, batch: Sequence[Row]) -> Sequence[Numbers]:
        tower = self._texts if batch[0].pixels is None else self._pictures
        return tower.encode(batch)


def stacked(batch: Sequence[Row], module: Any) -> dict[str, Tensor]:
    """The arrays of pictures, each of one shape, as a model takes them: [pictures, …]."""
    pictures = [row.pixels for row in batch if row.pixels is not None]
    return {name: _stacked(name, pictures, module) for name in pictures[0].arrays}


def _stacked(name: str, pictures: Sequence[Pixels], module: Any) -> Tensor:
    tensor = torch.from_numpy(np.stack([picture.arrays[name].read() for picture in pictures]))
    return tensor.to(module.device, module.dtype if tensor.is_floating_point() else None)


def _normalized(output: Any) -> list[Numbers]:
    return numbers_of(torch.nn.functional.normalize(output.pooler_output.float(), dim=-1))
