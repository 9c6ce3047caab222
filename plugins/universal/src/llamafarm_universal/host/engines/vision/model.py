"""How torch runs a model of pictures: arrays in, for each picture what the model's heads say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch

from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.towers import stacked

if TYPE_CHECKING:
    from torch import Tensor

Seen = Mapping[str, "Tensor"]
"""What a model says of one picture: the fields of its output, by their names."""


class PictureModel:
    """Runs pictures of the same shapes. says: the fields of the model's output that its head reads."""

    pads = False

    def __init__(self, module: Any, says: Sequence[str]) -> None:
        self._module = module
        self._says = tuple(says)

    def encode(self, batch: Sequence[Row]) -> list[Seen]:
        features = {**stacked(batch, self._module), **self._asked(batch)}
        with torch.inference_mode():
            output = self._module(**features, return_dict=True)
        told = {name: output[name].float().cpu() for name in self._says if output.get(name) is not None}
        return [{name: tensor[at] for name, tensor in told.items()} for at in range(len(batch))]

    def _asked(self, _batch: Sequence[Row]) -> dict[str, Tensor]:
        """What the model gets beside the pictures."""
        return {}


class AskedModel(PictureModel):
    """Runs pictures with texts: `asked` of each row holds pairs of an argument's name and its rows of numbers."""

    def _asked(self, batch: Sequence[Row]) -> dict[str, Tensor]:
        asked = cast("tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]", batch[0].asked)
        return {name: torch.tensor(rows).repeat(len(batch), 1).to(self._module.device) for name, rows in asked}


def output_of(seen: Seen) -> Any:
    """One picture's part of an output, as the post-processing of image processors takes it."""
    return SimpleNamespace(**{name: tensor[None] for name, tensor in seen.items()})
