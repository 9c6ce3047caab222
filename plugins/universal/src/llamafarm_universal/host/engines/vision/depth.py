"""How far away each pixel of a picture is."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import Depth, EstimateDepth, refused
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.vision.head import PicturesHead, size_of
from llamafarm_universal.host.engines.vision.model import Seen, output_of
from llamafarm_universal.host.engines.vision.png import grey_png

BRIGHTEST = 2**16 - 1


class DepthHead(PicturesHead):
    """The depth of each pixel of the picture itself, as its image processor enlarges what the model says."""

    says = ("predicted_depth",)

    def item(self, work: EstimateDepth, row: Row, seen: Seen) -> Depth:
        height, width = size_of(row)
        depth = self._depth(seen, (height, width))
        least, most = float(depth.min()), float(depth.max())
        if not np.isfinite([least, most]).all():
            raise refused("The model says no depth of this picture: its numbers are not finite.", "input")
        shades = (depth - least) * (BRIGHTEST / ((most - least) or 1.0))
        return Depth(width, height, least, most, grey_png(np.rint(shades).astype(np.uint16), work.folder))

    def _depth(self, seen: Seen, size: tuple[int, int]) -> NDArray[np.float32]:
        process = self._pictures.processor.post_process_depth_estimation
        sizes: dict[str, Any] = {"target_sizes": [size]}
        if "source_sizes" in inspect.signature(process).parameters:  # ZoeDepth's, which takes padding away
            sizes["source_sizes"] = [size]
        [found] = process(output_of(seen), **sizes)
        depth: NDArray[np.float32] = found["predicted_depth"].reshape(size).numpy()
        return depth
