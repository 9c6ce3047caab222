"""Decoding a picture, in a process that may be killed. Pillow reads files here and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llamafarm_universal.media.jobs import PictureJob, Refused
from llamafarm_universal.media.settings import MAX_FRAMES, MAX_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

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

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":  # 16 bits of grey, of which Pillow would cut off the bright
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    if image.mode == mode:
        return image
    if mode != "RGBA" and image.has_transparency_data:
        above = image.convert("RGBA")
        ground = Image.new("RGBA", above.size, "white")
        image = Image.alpha_composite(ground, above)
    return image.convert(mode)
