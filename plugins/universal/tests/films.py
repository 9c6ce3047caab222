"""Films, made by the library that is to read them: each picture says by its grey which one it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from llamafarm_universal.engine import Blob
from PIL import Image

STEP = 10
"""How much brighter each picture is than the one before it."""
CODECS = {"mp4": "libx264", "webm": "libvpx"}


@cache
def film(
    times: tuple[float, ...] = tuple(number / 10 for number in range(20)),
    *,
    container: str = "mp4",
    codec: str = "",
    size: tuple[int, int] = (32, 16),
    keys: int = 5,
    level: int = STEP,
    first: int = 0,
) -> bytes:
    """A picture at each of those seconds, each brighter by `level` than the one before.

    keys: every so many can be decoded without others. first: the grey of the first one.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec or CODECS[container], rate=1000)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = keys
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(grey((first + number * level) % 250, size), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def grey(level: int, size: tuple[int, int]) -> Any:
    """Its upper left quarter is black, so that it can be told how it is turned."""
    pixels = np.full((size[1], size[0], 3), level, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = 0
    return pixels


def numbers(pictures: Any) -> Sequence[int]:
    """Which pictures of a film these are: [frames, height, width, channels]."""
    return [round(float(picture[-4:, -4:].mean()) / STEP) for picture in pictures]


def changed(content: bytes, atom: bytes, at: int, value: bytes) -> bytes:
    """An MP4 with other bytes so far behind the name of its first atom of a kind."""
    place = content.index(atom) + 4 + at
    return content[:place] + value + content[place + len(value) :]


def turned(content: bytes, quarters: int) -> bytes:
    """An MP4 that says to be turned clockwise by so many quarters."""
    one = 1 << 16
    a, b, c, d = [(one, 0, 0, one), (0, one, -one, 0), (-one, 0, 0, -one), (0, -one, one, 0)][quarters]
    matrix = b"".join(number.to_bytes(4, "big", signed=True) for number in (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    return changed(content, b"tkhd", 40, matrix)


def recording_with_cover() -> bytes:
    """An M4A file, with a picture that is no film."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        heard = output.add_stream("aac", rate=16_000, layout="mono")
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 16, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(grey(100, (32, 16)), format="rgb24").reformat(format="yuvj420p")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16_000
        for stream, frame in ((cover, picture), (heard, silence)):
            output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def blob_of(content: bytes) -> Blob:
    return Blob("video/mp4", len(content), data=content)


def frames_of(content: bytes) -> list[Image.Image]:
    """All pictures of a film, as PyAV has them."""
    with av.open(io.BytesIO(content)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]
