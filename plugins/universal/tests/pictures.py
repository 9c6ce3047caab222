"""Pictures for tests, and how they come from the server."""

from __future__ import annotations

import io

import numpy as np
from llamafarm_universal.engine import Blob
from PIL import Image


def noise(number: int, width: int = 20, height: int = 30) -> Image.Image:
    """A picture of coloured noise, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def blob_of(image: Image.Image) -> Blob:
    content = png(image)
    return Blob("image/png", len(content), data=content)


def picture_in(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
