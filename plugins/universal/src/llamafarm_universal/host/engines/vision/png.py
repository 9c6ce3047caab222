"""Results as PNG files. What comes in is decoded elsewhere: this only writes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import Blob, SpoolFolder

MEDIA_TYPE = "image/png"


def mask_png(mask: NDArray[np.bool_], folder: SpoolFolder) -> Blob:
    """A picture of one bit a pixel, white where the mask [height, width] is true."""
    return _png(mask, folder)


def grey_png(values: NDArray[np.uint16], folder: SpoolFolder) -> Blob:
    """A grey picture of 16 bits a pixel [height, width]."""
    return _png(values, folder)


def _png(pixels: NDArray[Any], folder: SpoolFolder) -> Blob:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return folder.keep(written.getvalue(), MEDIA_TYPE)
