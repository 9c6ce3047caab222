"""Decoding a picture, in a process that may be killed. Pillow reads files here and nowhere else."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llamafarm_universal.media.jobs import PictureJob, Refused
from llamafarm_universal.media.settings import MAX_FRAMES, MAX_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

OPAQUE = 255
log = logging.getLogger(__name__)


def decode_picture(job: PictureJob) -> dict[str, int]:
    """Returns width, height and frames. Raises Refused, before anything is decoded where the file's head tells."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # our own limit is stricter, and an error
    try:
        with Image.open(job.path, formats=[job.format]) as image:
            _check(image.width, image.height, 1, job)
            frames = _count(image, job)
            return _write(image, frames, job)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # whatever Pillow stumbles over is the file's fault
        log.info("A picture cannot be decoded.", exc_info=True)
        raise Refused("The picture is broken, or breaks off: it cannot be decoded.") from error


def _count(image: Image, job: PictureJob) -> int:
    """How many frames it has. They are counted one by one, and no further than they may be."""
    if job.format == "JPEG" or not getattr(image, "is_animated", False):
        return 1  # what cameras put behind a JPEG, such as its preview, is no frame of it
    if job.frames == 1:
        raise Refused("The picture is animated.", hint="Send a still one.")
    frames = 1
    while _has_frame(image, frames):
        frames += 1
        _check(image.width, image.height, frames, job)
    image.seek(0)
    return frames


def _has_frame(image: Image, index: int) -> bool:
    try:
        image.seek(index)
    except EOFError:
        return False
    return True


def _check(width: int, height: int, frames: int, job: PictureJob) -> None:
    if not (width and height):
        raise Refused("The picture has no pixels.")
    if frames > job.frames:
        raise Refused(
            f"The picture has more than {job.frames:,} frames.",
            hint=f"Send fewer, or have the operator of the server raise {MAX_FRAMES}.",
            kind="too_large",
        )
    if width * height * frames > job.pixels:
        many = f" in {frames:,} frames or more" if frames > 1 else ""
        raise Refused(
            f"The picture is {width:,} x {height:,} pixels{many}; at most {job.pixels:,} are decoded.",
            hint=f"Send a smaller one, or have the operator of the server raise {MAX_PIXELS}.",
            kind="too_large",
        )
    if width * height * frames * len(job.mode) > job.room:
        raise Refused("The server has no room for the decoded picture.", hint="Send a smaller one.", kind="too_large")


def _write(image: Image, frames: int, job: PictureJob) -> dict[str, int]:
    size = None
    with Path(job.into).open("wb") as file:
        for frame in _frames(image, frames):
            upright = _converted(frame, job.mode)
            size = size or upright.size
            if upright.size != size:
                raise Refused("The picture's frames are of different sizes.")
            file.write(upright.tobytes())
    assert size is not None
    return {"width": size[0], "height": size[1], "frames": frames}


def _frames(image: Image, frames: int) -> Iterator[Image]:
    for index in range(frames):
        if index:
            image.seek(index)
        yield image


def _converted(image: Image, mode: str) -> Image:
    """The picture as a camera's owner sees it: turned as EXIF says, transparent places white, in 8 bits a channel."""
    from PIL import Image, ImageOps

    image = _in_usual_colours(_in_eight_bits(ImageOps.exif_transpose(image)))
    if mode != "RGBA" and image.has_transparency_data:
        above = image.convert("RGBA")
        ground = Image.new("RGBA", above.size, "white")
        image = Image.alpha_composite(ground, above)
    return image if image.mode == mode else image.convert(mode)


def _in_eight_bits(image: Image) -> Image:
    """Of 16 bits Pillow would cut off the bright ones where they are grey; colours it has read in 8 already."""
    key = image.info.get("transparency")
    if not image.mode.startswith("I"):
        if isinstance(key, tuple) and max(key) > OPAQUE:
            image.info["transparency"] = tuple(value >> 8 for value in key)
        return image
    grey = image.convert("I")
    eight = grey.point(lambda value: value / 257).convert("L")
    if isinstance(key, int):
        import numpy as np
        from PIL import Image

        eight.putalpha(Image.fromarray(np.where(np.asarray(grey) == key, 0, OPAQUE).astype(np.uint8)))
    return eight


def _in_usual_colours(image: Image) -> Image:
    """In sRGB, where the picture says that its numbers mean other colours: those of a printer, or of a wide screen.

    A profile that is broken, or for another kind of picture, is left aside, as browsers do it.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    from PIL import ImageCms

    try:
        colours = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(colours).lower():
            return image
        opaque = image if image.mode in ("L", "RGB", "CMYK") else image.convert("L" if image.mode == "LA" else "RGB")
        usual = ImageCms.profileToProfile(opaque, colours, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image
    assert usual is not None, "it is not changed in its place"
    if image.has_transparency_data:
        usual.putalpha(image.convert("RGBA").getchannel("A"))
    return usual
