"""Pictures that come in, decoded and made as large as what is drawn; and those that go out, as files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.engine import Blob, MediaSettings, SpoolFolder, decoder_of, refused
from llamafarm_universal.messages import Drawing

OPAQUE = 255
_DEFAULT_QUALITY = 90


@dataclass(frozen=True)
class Given:
    """image: RGB. mask: white where it is changed. Both are pictures of PIL, of one size."""

    image: Any = None
    mask: Any = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        width, height = self.image.size
        return width, height

    def resized(self, width: int, height: int) -> Given:
        """The same as large as what is drawn of it."""
        from PIL.Image import Resampling

        image = self.image.resize((width, height), Resampling.LANCZOS)
        mask = None if self.mask is None else self.mask.resize((width, height), Resampling.BILINEAR)
        return Given(image, mask)


def opened(image: Blob, mask: Blob | None, folder: SpoolFolder | None, media: MediaSettings) -> Given:
    """A picture and its mask; without one, what is transparent in the picture is the mask.

    Raises RequestFailed for what is no picture, or too large, and for a mask of another size.
    """
    from PIL import Image

    if folder is None:
        raise refused("A picture needs a folder to be decoded in.", "image")
    pixels = _decoded(image, folder, media, "image")
    given = Image.fromarray(pixels[..., :3].copy())
    if mask is None:
        alpha = pixels[..., 3]
        return Given(given, None if (alpha == OPAQUE).all() else Image.fromarray(OPAQUE - alpha))
    where = _decoded(mask, folder, media, "mask")
    if where.shape[:2] != pixels.shape[:2]:
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (where, pixels)]
        raise refused(f"The mask is {sizes[0]} pixels large, and the picture {sizes[1]}.", "mask")
    alpha = where[..., 3]
    if (alpha == OPAQUE).all():
        return Given(given, Image.fromarray(where[..., :3].copy()).convert("L"))
    return Given(given, Image.fromarray(OPAQUE - alpha))


def as_file(picture: Any, drawing: Drawing) -> Blob:
    """A picture of PIL as a file."""
    buffer = io.BytesIO()
    quality = {} if drawing.format == "png" else {"quality": drawing.quality or _DEFAULT_QUALITY}
    picture.convert("RGB").save(buffer, drawing.format.upper(), **quality)
    data = buffer.getvalue()
    return Blob(f"image/{drawing.format}", len(data), data)


def _decoded(blob: Blob, folder: SpoolFolder, media: MediaSettings, param: str) -> Any:
    """The pixels of a file, of shape (height, width, 4)."""
    return decoder_of(media).picture(blob, folder, mode="RGBA", param=param).array()[0]
